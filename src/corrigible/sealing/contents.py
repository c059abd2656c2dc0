"""The files of a sealed folder as they are now, and how they differ from those that were sealed."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path, PurePosixPath

from corrigible.files import MIB, opened
from corrigible.manifest import SealedFile
from corrigible.printable import plural
from corrigible.sealing.problems import Problem, ProblemKind

_FILES_AT_ONCE = 8
"""Most files that are hashed at the same time, in threads."""
_LEAST_BYTES = 4 * MIB
"""Folders with less are hashed without threads, which would take longer to start."""
_CHUNK_BYTES = MIB
_Listed = tuple[str, Path, int]
"""Path in the sealed folder, path, and size in bytes."""


@dataclass(frozen=True)
class Contents:
    """The files of a folder with their hashes, empty folders, and problems by path."""

    files: dict[str, SealedFile] = field(default_factory=dict)
    problems: dict[str, Problem] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    """The permissions of each file, also of those left out."""
    folder_modes: dict[str, int] = field(default_factory=dict)
    empty_folders: list[str] = field(default_factory=list)


def contents_of(folder: Path, *, left_out: Set[str], largest: int | None) -> Contents:
    """Hashes of all files except those left out, and the paths that cannot be hashed.

    Several files are hashed at once, in threads, which share the work of the processors.

    Args:
        left_out: paths of files, or of folders with all that they hold.
        largest: size in bytes of the largest file sealed; what is larger is none of them, may be huge, and is not read.
    """
    found, waiting = Contents(), [""]
    listed: list[_Listed] = []
    while waiting:
        parent = waiting.pop()
        try:
            entries = sorted(os.scandir(folder / parent), key=lambda entry: entry.name)
        except OSError as error:
            found.problems[parent] = Problem("unreadable", parent, str(error.strerror))
            continue
        if parent and not entries:
            found.empty_folders.append(parent)
        for entry in entries:
            path = f"{parent}/{entry.name}" if parent else entry.name
            if entry.is_symlink():
                if path not in left_out:
                    found.problems[path] = Problem("symlink", path, "a symbolic link, which is not followed")
                continue
            is_folder = entry.is_dir(follow_symlinks=False)
            (found.folder_modes if is_folder else found.modes)[path] = _mode(entry)
            if path in left_out:
                continue
            if is_folder:
                waiting.append(path)
            else:
                listed.append((path, Path(entry.path), entry.stat(follow_symlinks=False).st_size))
    for path, result in _all_hashed(listed, largest):
        if isinstance(result, Problem):
            found.problems[path] = result
        else:
            found.files[path] = result
    return found


def differences(sealed: Mapping[str, SealedFile], found: Contents) -> Iterator[Problem]:
    """The files that are not as they were sealed."""
    for path in sealed.keys() & found.files.keys():
        was, now = sealed[path], found.files[path]
        if was.sha256 != now.sha256:
            kind: ProblemKind = "changed" if now.num_bytes else "emptied"
            had = "" if was.num_bytes is None else f"had {plural(was.num_bytes, 'byte')}, "
            yield Problem(kind, path, f"{had}has {now.num_bytes:,}; SHA-256 {now.sha256 or 'not read'}")
        elif was.num_bytes not in (None, now.num_bytes):
            listed = plural(was.num_bytes, "byte")
            yield Problem("manifest", path, f"lists {listed}; the sealed content has {now.num_bytes:,}")
    added = sorted(found.files.keys() - sealed.keys())
    for path in sorted(sealed.keys() - found.files.keys()):
        # A link or a folder that cannot be read already stands for what should lie there.
        if found.problems.keys() & {path, "", *map(str, PurePosixPath(path).parents)}:
            continue
        new_name = next((name for name in added if found.files[name].sha256 == sealed[path].sha256), None)
        if new_name is None:
            size = sealed[path].num_bytes
            yield Problem("missing", path, "was sealed" if size is None else f"was sealed with {plural(size, 'byte')}")
        else:
            added.remove(new_name)
            yield Problem("renamed", path, f"is now {new_name!r}")
    for path in added:
        yield Problem("added", path, plural(found.files[path].num_bytes or 0, "byte"))


def strict_problems(found: Contents, parent: str = "") -> Iterator[Problem]:
    """What no signed seal has: empty folders, files that run, and what everybody can write to or nobody can read."""
    for path in found.empty_folders:
        yield Problem("added", parent + path, "an empty folder")
    if os.name != "posix":
        return
    for path, mode in {**found.modes, **found.folder_modes}.items():
        unwanted = 0o7113 if path in found.modes else 0o002
        if mode & unwanted or not mode & 0o400:
            expected = "0644" if path in found.modes else "0755"
            yield Problem("mode", parent + path, f"its mode is {mode:04o}; expected one such as {expected}: chmod it")


def sha256_of_open(file: BufferedReader) -> str:
    """The SHA-256 of what is left to read of the file."""
    digest, chunk = hashlib.sha256(), memoryview(bytearray(_CHUNK_BYTES))
    while num_bytes := file.readinto(chunk):
        digest.update(chunk[:num_bytes])
    return digest.hexdigest()


def _mode(entry: "os.DirEntry[str]") -> int:
    return entry.stat(follow_symlinks=False).st_mode & 0o7777


def _all_hashed(listed: list[_Listed], largest: int | None) -> Iterator[tuple[str, SealedFile | Problem]]:
    def hashed(each: _Listed) -> tuple[str, SealedFile | Problem]:
        return each[0], _hashed(each[0], each[1], largest)

    if sum(num_bytes for _, _, num_bytes in listed) < _LEAST_BYTES:
        yield from map(hashed, listed)
        return
    with ThreadPoolExecutor(min(_FILES_AT_ONCE, os.cpu_count() or 1)) as pool:
        yield from pool.map(hashed, listed)


def _hashed(path: str, file_path: Path, largest: int | None) -> SealedFile | Problem:
    try:
        with opened(file_path, most=None, follow_links=False) as file:
            num_bytes = os.fstat(file.fileno()).st_size
            digest = sha256_of_open(file) if largest is None or num_bytes <= largest else ""
            return SealedFile(digest, num_bytes)
    except OSError as error:
        return Problem("unreadable", path, str(error.strerror))
