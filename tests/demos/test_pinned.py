"""Pinned files: only the very bytes meant come back."""

import hashlib

import pytest

from corrigible.demos.pinned import pinned_bytes
from corrigible.errors import DataError


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "holds_data").mkdir()
    (tmp_path / "holds_data" / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    (tmp_path / "holds_data" / "numbers.csv").write_bytes(b"1,2\n")
    monkeypatch.syspath_prepend(tmp_path)
    return "holds_data"


def test_the_bytes_come_back_without_importing_the_package(package):
    assert pinned_bytes(package, "numbers.csv", sha256=hashlib.sha256(b"1,2\n").hexdigest()) == b"1,2\n"


@pytest.mark.parametrize(
    ("name", "path", "words"),
    [
        ("no_such_package_here", "numbers.csv", "package no_such_package_here, not installed"),
        ("holds_data", "letters.csv", "no file letters.csv"),
        ("holds_data", "numbers.csv", "SHA-256"),
    ],
)
def test_anything_else_says_what_to_install(package, name, path, words):
    with pytest.raises(DataError, match=rf"{words}.*pip install corrigible\[demo\]"):
        pinned_bytes(name, path, sha256="0" * 64)
