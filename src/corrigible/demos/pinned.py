"""Read a data file that comes inside an installed package, and make sure that it is the one meant."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from corrigible.errors import DataError


def pinned_bytes(package: str, path: str, *, sha256: str) -> bytes:
    """The bytes of a file inside a package, which is not imported.

    Raises:
        DataError: the package or the file is missing, or its SHA-256 is another.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"the demo data is in the package {package}, not installed: pip install corrigible[demo]")
    file = Path(spec.submodule_search_locations[0]) / path
    if not file.is_file():
        raise DataError(f"the package {package} has no file {path}: pip install corrigible[demo]")
    content = file.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(f"{file} has SHA-256 {found}, expected {sha256}: pip install corrigible[demo]")
    return content
