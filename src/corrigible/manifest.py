r"""The list of a sealed folder: which files it holds, their hashes, and one hash of all.

::

    {"format": "corrigible-seal", "version": 2, "files": {path: {"sha256": …, "bytes": …}}, "root": …}

The root is the SHA-256 of the text that ``sha256sum`` prints for all files but the manifest, sorted by path. Anyone
can compute it in the folder::

    find . -type f ! -path ./manifest.json -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum -- | sha256sum

The manifest must be byte for byte what ``manifest_as_bytes`` writes for these files. So the root fixes the whole folder
but for empty folders and what a file system adds, such as permissions. It does not identify who sealed. In version 1
the keys ``created`` and ``corrigible`` stood in the manifest, where the root does not cover them.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

from corrigible.errors import SealError
from corrigible.files import MOST_RECORD, read_bytes
from corrigible.folders import require_plain
from corrigible.html_table import table_html
from corrigible.strict_json import described, is_whole, parse

FORMAT = "corrigible-seal"
VERSION = 2
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class SealedFile:
    """A file's entry in the manifest."""

    sha256: str
    num_bytes: int | None
    """None where a list gives no sizes; a manifest does."""


@dataclass(frozen=True)
class Manifest:
    """The list of the sealed files."""

    files: Mapping[str, SealedFile]
    root: str
    version: int = VERSION
    uncovered: Mapping[str, str] = field(default_factory=dict)
    """What the root does not cover: in version 1 the time of sealing and the version of corrigible."""
    is_canonical: bool = True
    """Whether the file holds exactly the bytes of ``manifest_as_bytes``."""

    def __repr__(self) -> str:
        return f"Manifest({', '.join(self.files)}; root {self.root})"

    def _repr_html_(self) -> str:
        rows = [(name, f"{file.num_bytes or 0:,}", file.sha256) for name, file in self.files.items()]
        quoted = Markup("<p>root <code>{}</code></p>").format(self.root)
        return quoted + table_html(("file", "bytes", "SHA-256"), rows)


def root_of(files: Mapping[str, SealedFile]) -> str:
    """SHA-256 of the lines ``sha256  path``, sorted by path."""
    lines = "".join(f"{files[path].sha256}  {path}\n" for path in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def read_manifest(folder: str | Path) -> Manifest:
    """The folder's manifest, without comparing it with the folder's files.

    Raises:
        SealError: the folder does not exist or has no readable manifest.
    """
    path = Path(folder, MANIFEST)
    try:
        data = read_bytes(path, most=MOST_RECORD, follow_links=False)
        manifest = _read(parse(data.decode()))
    except OSError as error:
        raise SealError(f"cannot read {path} ({error.strerror}); expected the manifest of a sealed folder") from error
    except ValueError as error:
        raise SealError(f"{path} is not a manifest: {error}") from error
    return replace(manifest, is_canonical=data == manifest_as_bytes(manifest))


def manifest_as_bytes(manifest: Manifest) -> bytes:
    """The content of ``manifest.json``."""
    files = {path: {"sha256": sealed.sha256, "bytes": sealed.num_bytes} for path, sealed in manifest.files.items()}
    written = {
        "format": FORMAT,
        "version": manifest.version,
        **manifest.uncovered,
        "files": files,
        "root": manifest.root,
    }
    return (json.dumps(written, indent=2, ensure_ascii=False) + "\n").encode()


def _read(whole: Any) -> Manifest:
    if not isinstance(whole, dict) or whole.get("format") != FORMAT:
        raise SealError(f"expected an object with format {FORMAT!r}")
    if not is_whole(whole.get("version")) or whole["version"] < 1:
        raise SealError(f"version is {described(whole.get('version'))}; expected a whole number from 1 to {VERSION}")
    if whole["version"] > VERSION:
        raise SealError(f"version is {described(whole['version'])}; the newest known is {VERSION}: upgrade corrigible")
    uncovered = ("created", "corrigible") if whole["version"] == 1 else ()
    keys = {"format", "version", *uncovered, "files", "root"}
    if whole.keys() != keys:
        raise SealError(
            f"{described(min(whole.keys() ^ keys))} is missing or unknown; expected {', '.join(sorted(keys))}"
        )
    for name in (*uncovered, "root"):
        if not isinstance(whole[name], str):
            raise SealError(f"{name} is {described(whole[name])}; expected text")
    if not isinstance(whole["files"], dict):
        raise SealError(f"files is {described(whole['files'])}; expected an object")
    files = {path: _read_file(path, entry) for path, entry in whole["files"].items()}
    return Manifest(files, whole["root"], whole["version"], {name: whole[name] for name in uncovered})


def _read_file(path: str, entry: Any) -> SealedFile:
    require_plain(path)
    if path == MANIFEST:
        raise SealError(f"it lists {MANIFEST} itself")
    if not isinstance(entry, dict) or entry.keys() != {"sha256", "bytes"}:
        raise SealError(f"entry {described(path)} is not an object with sha256 and bytes")
    sha256, num_bytes = entry["sha256"], entry["bytes"]
    if not isinstance(sha256, str) or len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise SealError(f"sha256 of {described(path)} is {described(sha256)}; expected 64 hexadecimal digits")
    if not is_whole(num_bytes) or num_bytes < 0:
        raise SealError(f"bytes of {described(path)} is {described(num_bytes)}; expected a whole number")
    return SealedFile(sha256, num_bytes)
