"""An archive of masks, named like the folder that `import_feedback` reads: ``<polarity>/<split>/<class>/<name>.png``.

Masks of images that are not kept as files are ``<polarity>/<split>/row-<number>.png``.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from corrigible.data.image_decoding import SUFFIXES
from corrigible.data.image_file import stored_size
from corrigible.data.image_folder import ImageFolder
from corrigible.data.image_masks import images_of, mask_name
from corrigible.data.image_names import path_inside, places_by_name
from corrigible.errors import FeedbackError
from corrigible.files import read_bytes
from corrigible.folders import inside, writing_in
from corrigible.said import Feedback, Pixels
from corrigible.workflow.reviews.subject import Subject

MOST_ARCHIVE, MOST_UNPACKED, MOST_FILES = 64 * 2**20, 512 * 2**20, 20_000
"""Most bytes of an archive, and most bytes and files in it."""
ENCRYPTED = 0x1
"""The bit among an entry's flags."""
_BROKEN = (zipfile.BadZipFile, NotImplementedError, zlib.error, struct.error, EOFError, ValueError)
"""What zipfile raises for bytes that are no archive it can read."""


def packed(subject: Subject, said: Sequence[Feedback]) -> bytes:
    """A mask for each row and polarity, of the size of its image; what was marked twice is joined.

    Raises:
        DataError: two images whose masks would have the same name.
    """
    joined: dict[tuple[str, str, int], NDArray[np.bool_]] = {}
    for one in said:
        assert one.row is not None
        key = (one.polarity, one.split, one.row)
        joined[key] = joined[key] | plane_of(one) if key in joined else plane_of(one)
    folders = {split: images_of(data) for split, data in subject.data.items()}
    known = {split: places_by_name(images.files) for split, images in folders.items() if images is not None}
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for (polarity, split, row), mask in joined.items():
            images = folders[split]
            name = f"{split}/row-{row}" if images is None else mask_name(images.files[row], known[split])
            archive.writestr(f"{polarity}/{name}.png", _picture(mask, images, row))
    return written.getvalue()


def plane_of(said: Feedback) -> NDArray[np.bool_]:
    """What is marked in any channel of an image, (height, width)."""
    assert isinstance(said.region, Pixels)
    planes = said.region.mask.reshape(-1, *said.region.mask.shape[-2:])
    return np.asarray(planes.any(axis=0))


def unpack(source: Path, place: Path) -> None:
    """Write the pictures in the archive; what it says of their sizes is checked first, and while they are read.

    Raises:
        FeedbackError: it cannot be read, is too large, or holds something else than pictures inside of it.
        StudyError: they cannot be written.
    """
    written = io.BytesIO(read_bytes(source, most=MOST_ARCHIVE))
    try:
        with zipfile.ZipFile(written) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > MOST_FILES or sum(entry.file_size for entry in entries) > MOST_UNPACKED:
                raise FeedbackError(
                    f"the archive holds more than {MOST_FILES:,} files or {MOST_UNPACKED // 2**20} MiB; use several"
                )
            for entry in entries:
                _unpack_one(archive, entry, place)
    except FeedbackError:
        raise
    except _BROKEN as error:
        raise FeedbackError(f"the archive cannot be read ({error}); expected a .zip of masks") from error


def _unpack_one(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, place: Path) -> None:
    name = entry.filename[:80]
    if PurePosixPath(entry.filename).suffix.lower() not in SUFFIXES:
        raise FeedbackError(f"the archive holds {name!r}; expected pictures alone")
    if entry.flag_bits & ENCRYPTED or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FeedbackError(f"{name!r} is encrypted, or packed in an unusual way; pack the masks as a plain .zip")
    target = inside(place, entry.filename)  # A ValueError for a name that leads elsewhere.
    with archive.open(entry) as opened:
        written = opened.read(entry.file_size + 1)
    if len(written) > entry.file_size:
        raise FeedbackError(f"{name!r} is larger than the archive says; pack it again")
    with writing_in(place):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(written)


def _picture(mask: NDArray[np.bool_], images: ImageFolder | None, row: int) -> bytes:
    """The mask as a PNG file of the size of its image."""
    found = Image.fromarray(mask.astype(np.uint8) * 255)
    if images is not None:
        height, width = stored_size(path_inside(images.folder, images.files[row]))
        found = found.resize((width, height), Image.Resampling.NEAREST)
    written = io.BytesIO()
    found.save(written, format="PNG")
    return written.getvalue()
