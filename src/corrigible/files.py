"""Read files that a study or a user names: regular files of a size that fits, inside the folder where they belong.

A pipe or device would be waited for or read for ever, a link may lead to somebody else's files, and a file of a few
bytes can say that it is a terabyte. So every file from outside is opened here, and refused with an OSError whose text
says what was found and what was expected; callers turn it into an error of their own that names the file.
"""

import hashlib
import os
import stat
from io import BufferedReader
from pathlib import Path

MIB = 2**20
MOST_RECIPE = MIB
MOST_RECORD = 16 * MIB
"""Most bytes of ``run.json``, of a manifest and of other records; parsed JSON takes up to twenty times the memory."""
MOST_FEEDBACK = 64 * MIB
MOST_RESULTS = 256 * MIB
"""Most bytes of what a finished run measured or explained, whose hash is checked before it is read."""
MOST_ROWS = 32 * 1024 * MIB
"""Most bytes of a file of rows or of weights."""


def opened(path: Path, *, most: int | None, within: Path | None = None, follow_links: bool = True) -> BufferedReader:
    """The file, open for reading; the caller closes it.

    Args:
        most: largest size in bytes; None for a caller that looks at the size itself.
        within: folder that no symbolic link on the way may lead out of; None where links are the user's own affair.
        follow_links: whether the file itself may be a symbolic link.

    Raises:
        OSError: as `require_fit`, or the file is missing or may not be read.
    """
    if not follow_links and path.is_symlink():
        raise refusal("a symbolic link, which is not followed")
    require_fit(path, most=most, within=within)
    # Another process may have put a pipe there since: it is not waited for either.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise refusal(_kind(path))
    return open(descriptor, "rb")


def read_bytes(path: Path, *, most: int, within: Path | None = None, follow_links: bool = True) -> bytes:
    """The content of the file.

    Raises:
        OSError: as `opened`, or the file grew beyond its largest size meanwhile.
    """
    with opened(path, most=most, within=within, follow_links=follow_links) as file:
        # No more than it has now: reading asks for all of the memory that it is allowed to fill.
        content = file.read(min(most, os.fstat(file.fileno()).st_size) + 1)
    if len(content) > most:
        raise refusal(_too_large(len(content), most))
    return content


def read_text(path: Path, *, most: int, within: Path | None = None) -> str:
    """The content of the file, which is UTF-8.

    Raises:
        OSError: as `read_bytes`.
        UnicodeDecodeError: other bytes.
    """
    return read_bytes(path, most=most, within=within).decode()


def hashes_in(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file in the folder; of a folder inside, that of ``sha256sum``'s lines for it."""
    found = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_file():
            found[path.name] = found_hash(path) or ""
        elif path.is_dir():
            inside = sorted(each.relative_to(path).as_posix() for each in path.rglob("*") if each.is_file())
            lines = "".join(f"{found_hash(path / name)}  {name}\n" for name in inside)
            found[path.name] = hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()
    return found


def found_hash(path: Path) -> str | None:
    """The file's SHA-256; None if it is not a readable file, such as a folder or a broken link."""
    try:
        return sha256_of(path)
    except OSError:
        return None


def sha256_of(path: Path) -> str:
    """The file's SHA-256.

    Raises:
        OSError: as `opened`.
    """
    with opened(path, most=MOST_ROWS, within=path.parent) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def require_fit(path: Path, *, most: int | None, within: Path | None = None) -> None:
    """Raises OSError unless this is a regular file of at most so many bytes, and no link leads out of the folder."""
    try:
        is_inside = within is None or path.resolve().is_relative_to(within.resolve())
    except RuntimeError as error:  # What pathlib makes of links that lead to each other.
        raise refusal("a symbolic link leads to itself; expected a regular file") from error
    if not is_inside:
        raise refusal(f"a symbolic link leads out of {within}; expected the file itself inside that folder")
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise refusal(_kind(path))
    if most is not None and found.st_size > most:
        raise refusal(_too_large(found.st_size, most))


def refusal(reason: str) -> OSError:
    """An OSError with this text, also as its ``strerror``."""
    error = OSError(reason)
    error.strerror = reason
    return error


def _kind(path: Path) -> str:
    kinds = {"a folder": path.is_dir(), "a pipe": path.is_fifo(), "a socket": path.is_socket()}
    found = next((name for name, is_it in kinds.items() if is_it), "a device")
    return f"it is {found}; expected a regular file"


def _too_large(size: int, most: int) -> str:
    found = f"{size / MIB:,.0f} MiB" if size >= MIB else f"{size:,} bytes"
    return f"it is too large, {found}; expected at most {most / MIB:,.0f} MiB"
