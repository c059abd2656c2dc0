"""Files that the benchmarks read are the ones meant: each is known by its SHA-256."""

import hashlib
from pathlib import Path

from corrigible.errors import DataError


def pinned(file: Path, sha256: str, *, remedy: str) -> bytes:
    """The file's bytes.

    Raises:
        DataError: the file is missing or its SHA-256 is another; ``remedy`` says what to do.
    """
    if not file.is_file():
        raise DataError(f"no file {file}: {remedy}")
    content = file.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(f"{file} has SHA-256 {found}, expected {sha256}: {remedy}")
    return content
