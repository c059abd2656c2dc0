"""Write files and folders that are either complete or absent."""

import os
import platform
import secrets
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath, PureWindowsPath

from corrigible.errors import StudyError


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write the file so that readers see either the old or the complete new content, even after a crash.

    Raises:
        StudyError: the folder is missing, cannot be written to or is full; the old content is unchanged.
    """
    path = Path(path)
    temporary = temporary_sibling(path)
    with writing_in(path.parent):
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync(path.parent)


@contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """A folder to fill, which appears under its name only when the block ends without an error.

    The block gets a temporary sibling, whose name starts with a dot; parents are made as needed.

    Raises:
        StudyError: the name is taken by anything but an empty folder, or the parent cannot be written to.
    """
    folder = Path(folder)
    temporary = temporary_sibling(folder)
    with writing_in(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        try:
            yield temporary
            for parent, _, names in os.walk(temporary):
                for name in names:
                    sync(Path(parent, name))
                sync(Path(parent))
            # On POSIX, rename replaces an empty folder and refuses any other, so nothing is overwritten.
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        sync(folder.parent)


def inside(folder: str | Path, relative: str) -> Path:
    """The path of that name in the folder.

    Raises:
        ValueError: the name is not plain, or a symbolic link on the way leads out of the folder.
    """
    require_plain(relative)
    path = Path(folder, relative)
    if not path.resolve().is_relative_to(Path(folder).resolve()):
        raise ValueError(f"{relative!r} leads out of {folder} through a symbolic link; expected a path inside it")
    return path


def require_plain(relative: str) -> None:
    """Raises ValueError for a name that is absolute or holds ``..``, ``.``, a backslash or a control character."""
    plain = PurePosixPath(relative)
    is_plain = str(plain) == relative and relative != "." and ".." not in plain.parts and "\\" not in relative
    if not is_plain or PureWindowsPath(relative).anchor or not relative.isprintable():
        raise ValueError(
            f"{relative!r} is not a plain path inside a folder; "
            "expected names joined by '/', without '..', backslashes or control characters"
        )


@contextmanager
def writing_in(folder: Path) -> Iterator[None]:
    """A context that turns errors of the operating system into a StudyError that names the folder."""
    try:
        yield
    except OSError as error:
        raise StudyError(
            f"cannot write in {folder} ({error}); check that it is a folder you may write to, with space left"
        ) from error


def sync(path: Path) -> None:
    """Wait until the file, or the list of names in the folder, is on the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open folders.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def temporary_sibling(path: Path) -> Path:
    """A free name beside the path for files while they are written; it identifies the writing process.

    Removes incomplete files beside the path that dead processes of this machine left behind.
    """
    for leftover in path.parent.glob(f".writing-{_MACHINE}-*"):
        if _is_dead(leftover.name.split("-")[2]):
            _remove(leftover)
    return path.with_name(f".writing-{_MACHINE}-{os.getpid()}-{secrets.token_hex(8)}")


_MACHINE = f"{zlib.crc32(platform.node().encode()):08x}"
"""Identifies the machine: another one may write to the same disk, and process numbers are valid on one machine only."""


def _is_dead(process: str) -> bool:
    if os.name != "posix" or not process.isdecimal():
        return False  # Other systems offer no harmless way to ask.
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
