"""Write files and folders that are either complete or absent."""

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath, PureWindowsPath

from corrigible.errors import StudyError

try:
    import fcntl
except ImportError:  # Windows, where drafts that were left behind stay.
    fcntl = None  # type: ignore[assignment]


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write the file so that readers see either the old or the complete new content, even after a crash.

    Raises:
        StudyError: the folder is missing, cannot be written to or is full; the old content is unchanged.
    """
    path = Path(path)
    with writing_in(path.parent), draft_file(path) as draft:
        with open(draft, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync(path.parent)


@contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """A folder to fill, which appears under its name only when the block ends without an error.

    The block gets a temporary sibling, whose name starts with a dot; parents are made as needed.

    Raises:
        StudyError: the name is taken by anything but an empty folder, or the parent cannot be written to.
    """
    folder = Path(folder)
    with writing_in(folder.parent):
        if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
            raise StudyError(f"{folder} exists and is not an empty folder; choose another name")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with draft_folder(folder) as draft:
            yield draft
            for parent, _, names in os.walk(draft):
                for name in names:
                    sync(Path(parent, name))
                sync(Path(parent))
            # On POSIX, rename replaces an empty folder and refuses any other, so nothing is overwritten.
            draft.rename(folder)
        sync(folder.parent)


def inside(folder: str | Path, relative: str) -> Path:
    """The path of that name in the folder.

    Raises:
        ValueError: the name is not plain, or a symbolic link on the way leads out of the folder, or to itself.
    """
    require_plain(relative)
    path = Path(folder, relative)
    try:
        is_inside = path.resolve().is_relative_to(Path(folder).resolve())
    except (OSError, RuntimeError) as error:  # What pathlib makes of links that lead to each other.
        raise ValueError(f"{relative!r} in {folder} is a symbolic link to itself; expected a file or folder") from error
    if not is_inside:
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


@contextmanager
def draft_file(path: Path) -> Iterator[Path]:
    """A new empty file beside the path, for its content until it is complete; removed at the end if still there."""
    with _draft(path, lambda draft: draft.touch(exist_ok=False)) as draft:
        yield draft


@contextmanager
def draft_folder(path: Path) -> Iterator[Path]:
    """A new empty folder beside the path, for its content until it is complete; removed at the end if still there."""
    with _draft(path, Path.mkdir) as draft:
        yield draft


def remove_abandoned(folder: Path) -> None:
    """Remove the drafts in the folder whose process was killed."""
    for draft in folder.glob(".writing-*"):
        if _NAME.fullmatch(draft.name):
            _remove_abandoned(draft)


@contextmanager
def _draft(path: Path, make: Callable[[Path], None]) -> Iterator[Path]:
    """A draft that nobody takes for abandoned, because it is locked; abandoned ones beside it are removed.

    The lock ends with the process that holds it, wherever that runs; process numbers mean nothing in another container.
    """
    remove_abandoned(path.parent)
    while True:
        draft = path.with_name(f".writing-{secrets.token_hex(16)}")
        make(draft)
        lock = _locked(draft)
        if draft.exists() and (lock is None or _is_same(lock, draft)):
            break
        if lock is not None:  # Somebody took it for abandoned in the moment before it was locked.
            os.close(lock)
    try:
        yield draft
    finally:
        _remove(draft)
        if lock is not None:
            os.close(lock)


_NAME = re.compile(r"\.writing-[0-9a-f]{32}")


def _locked(draft: Path, how: int = 0) -> int | None:
    """A descriptor that locks the draft; None where that is impossible, so that nobody else can lock it either."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(draft, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | how)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except OSError:
        return False


def _remove_abandoned(draft: Path) -> None:
    lock = None if fcntl is None else _locked(draft, fcntl.LOCK_NB)
    if lock is not None:
        _remove(draft)
        os.close(lock)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
