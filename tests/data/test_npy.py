"""Arrays are read as NumPy wrote them, and what a header says is checked before memory is asked for."""

import io
import struct
import zipfile

import numpy as np
import pytest

from corrigible.data.npy import array_of, header_of, npy_file, npz_arrays

ARRAYS = {
    "floats": np.linspace(0, 1, 6).reshape(2, 3),
    "booleans": np.array([True, False]),
    "one number": np.array(3),
    "by columns": np.asfortranarray(np.arange(12, dtype=np.int16).reshape(3, 4)),
    "big-endian": np.arange(4, dtype=">f4"),
    "none": np.zeros((0, 4), np.uint8),
}


def as_npy(header: str, content: bytes = bytes(64)) -> bytes:
    header = header + " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + content


def shaped(shape: str, kind: str = "|b1") -> str:
    return f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"


@pytest.mark.parametrize("name", ARRAYS)
def test_what_numpy_wrote_is_read(name, tmp_path):
    array = ARRAYS[name]
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "a.npz", x=array, other=array)
    with npy_file(tmp_path / "a.npy") as (header, file):
        found = array_of(header, file)
    (packed,) = npz_arrays(tmp_path / "a.npz", ["x", "absent"]).values()
    for each in (found, packed):
        assert each.dtype == array.dtype
        np.testing.assert_array_equal(each, array)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (shaped("(1000000, 1000000)"), "1,000,000,000,000 bytes; there are 64"),
        (shaped("(65,)"), "there are 64"),
        (shaped("(63,)"), "there are 64"),
        (shaped("(1,)", "|O"), "not that of an .npy array of numbers"),
        (shaped("(1,)", "<f99"), "unknown"),
        (shaped("(-1,)"), "not that of"),
        ("(" * 4000, "not that of"),
        ("(" * 6000, "header of the .npy array has"),
        (shaped("(" + "1, " * 40 + ")"), "40 dimensions"),
    ],
)
def test_a_header_that_says_what_is_not_there_is_refused(header, message, tmp_path):
    (tmp_path / "a.npy").write_bytes(as_npy(header))
    with pytest.raises(ValueError, match=message), npy_file(tmp_path / "a.npy"):
        pass
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as packed:
        packed.writestr("x.npy", as_npy(header))
    with pytest.raises(ValueError, match=message):
        npz_arrays(tmp_path / "a.npz", ["x"])


def test_other_bytes_are_no_array():
    for content in (b"", b"\x93NUMPY", b"PK\3\4", b"\x93NUMPY\x09\x00" + bytes(80)):
        with pytest.raises(ValueError, match="npy"):
            header_of(io.BytesIO(content))


def test_a_small_file_that_unpacks_to_a_large_array_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("corrigible.data.npy.FREELY", 10**5)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("x.npy", as_npy(shaped("(1000000,)"), bytes(10**6)))
    with pytest.raises(OSError, match="it unpacks from .* to 1,000,128 bytes"):
        npz_arrays(tmp_path / "a.npz", ["x"])
