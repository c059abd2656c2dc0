"""Read arrays kept as ``.npy`` and ``.npz``: what their first bytes say is checked before memory is asked for.

A header of a hundred bytes can say that an array has a million million elements, and a packed file of 3 MB can unpack
to 3 GB; NumPy takes their word for it. Arrays of numbers and booleans are read, and nothing is unpickled.
"""

import re
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from corrigible.files import MIB, MOST_ROWS, opened, refusal

MAGIC = b"\x93NUMPY"
MOST_HEADER = 4096
MOST_DIMENSIONS = 32
PACKED = 100
"""Most times that a packed array may be larger than its file, beyond `FREELY` bytes."""
FREELY = 256 * MIB
_HEADER = re.compile(
    r"\{'descr': '([<>|=][biufc]\d{1,2})', 'fortran_order': (True|False), 'shape': \(((?:\d{1,18},? ?)*)\), \}\s*"
)


class Header(NamedTuple):
    """What the first bytes of an ``.npy`` file say."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran: bool

    @property
    def num_bytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize


@contextmanager
def npy_file(path: Path) -> Iterator[tuple[Header, BufferedIOBase]]:
    """What an ``.npy`` file says of itself, and the file, so that `array_of` can read on.

    Raises:
        OSError: no regular file, or one too large.
        ValueError: no ``.npy`` file, an array of objects, or fewer bytes than the header says.
    """
    with opened(path, most=MOST_ROWS) as file:
        header = header_of(file)
        has = path.stat().st_size - file.tell()
        if header.num_bytes != has:
            raise ValueError(_promised(header, has))
        yield header, file


def header_of(file: BufferedIOBase) -> Header:
    """What the file's first bytes say of its array.

    Raises:
        ValueError: no ``.npy`` file, or an array of something other than numbers and booleans.
    """
    start = file.read(len(MAGIC) + 2)
    if start[:-2] != MAGIC or start[-2] not in (1, 2, 3):
        raise ValueError("it does not begin as an .npy array does")
    length = int.from_bytes(file.read(2 if start[-2] == 1 else 4), "little")
    if length > MOST_HEADER:
        raise ValueError(f"the header of the .npy array has {length} bytes; expected at most {MOST_HEADER}")
    found = _HEADER.fullmatch(file.read(length).decode("latin-1"))
    if found is None:
        raise ValueError("the header is not that of an .npy array of numbers")
    shape = tuple(int(size) for size in re.findall(r"\d+", found[3]))
    if len(shape) > MOST_DIMENSIONS:
        raise ValueError(f"the array has {len(shape)} dimensions; expected at most {MOST_DIMENSIONS}")
    try:
        return Header(np.dtype(found[1]), shape, found[2] == "True")
    except TypeError as error:
        raise ValueError(f"the array has the type {found[1]!r}, which is unknown") from error


def array_of(header: Header, file: BufferedIOBase) -> NDArray[Any]:
    """The array whose header was read from this file.

    Raises:
        ValueError: the file ends too early.
    """
    content = np.empty(header.num_bytes, np.uint8)
    filled = 0
    while filled < len(content):
        piece = file.read(min(16 * MIB, len(content) - filled))
        if not piece:
            raise ValueError(_promised(header, filled))
        content[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
        filled += len(piece)
    return content.view(header.dtype).reshape(header.shape, order="F" if header.is_fortran else "C")


def npz_arrays(path: Path, names: Collection[str], *, within: Path | None = None) -> dict[str, NDArray[Any]]:
    """The arrays of these names in an ``.npz`` file, and nothing for names that it lacks.

    Raises:
        OSError: no regular file, one too large, or one reached by a link that leads out of the folder.
        ValueError, zipfile.BadZipFile, zlib.error, EOFError: not such a file, or a broken one.
    """
    with opened(path, most=MOST_ROWS, within=within) as file, zipfile.ZipFile(file) as packed:
        size = path.stat().st_size
        members = {info.filename.removesuffix(".npy"): info for info in packed.infolist()}
        wanted = [info for name, info in members.items() if name in names]
        unpacked = sum(info.file_size for info in wanted)
        if unpacked > max(FREELY, PACKED * size) or unpacked > MOST_ROWS:
            raise refusal(f"it unpacks from {size:,} to {unpacked:,} bytes, too large to be rows of data")
        return {info.filename.removesuffix(".npy"): _member(packed, info) for info in wanted}


def _member(packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    if info.flag_bits & 1:
        raise ValueError(f"{info.filename} is encrypted")
    with packed.open(info) as file:
        assert isinstance(file, BufferedIOBase)
        header = header_of(file)
        has = info.file_size - file.tell()
        if header.num_bytes != has:
            raise ValueError(f"{info.filename}: {_promised(header, has)}")
        return array_of(header, file)


def _promised(header: Header, has: int) -> str:
    shape = " × ".join(map(str, header.shape)) or "one number"
    return f"its header says shape {shape} of {header.dtype}, {header.num_bytes:,} bytes; there are {has:,}"
