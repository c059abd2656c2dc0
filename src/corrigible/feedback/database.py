"""The SQLite file of the feedback store: create it, open it, and upgrade it to the newest version."""

import os
import sqlite3
import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import chain
from pathlib import Path

from corrigible.errors import StudyError
from corrigible.feedback.answers import ANSWER_TABLES
from corrigible.feedback.chain import ANSWERED_SINCE, CHAINED_SINCE, append_links, version_of
from corrigible.feedback.only_grows import only_grows
from corrigible.folders import draft_folder, sync, writing_in

APPLICATION_ID = 0x436F7272
"""Marks a SQLite file as a feedback store: the letters ``Corr``."""
BUSY_TIMEOUT_SECONDS = 30.0
LOCKED_SECONDS = 3.0
"""How long a reader waits for a lock before it reads what is there."""
_NOT_WRITABLE = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_FULL", "SQLITE_PERM")
_TABLES = (
    """CREATE TABLE event (
        number INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        author TEXT NOT NULL,
        note TEXT NOT NULL)""",
    """CREATE TABLE mask (
        sha256 TEXT NOT NULL PRIMARY KEY,
        shape TEXT NOT NULL,
        bits BLOB NOT NULL)""",
    """CREATE TABLE feedback (
        number INTEGER PRIMARY KEY REFERENCES event,
        polarity TEXT NOT NULL CHECK (polarity IN ('irrelevant', 'relevant')),
        "row" INTEGER CHECK ("row" >= 0),
        split TEXT NOT NULL CHECK (split <> ''),
        scope TEXT NOT NULL CHECK (scope IN ('row', 'class', 'dataset')),
        label INTEGER CHECK (label >= 0),
        fingerprint TEXT,
        features TEXT,
        mask TEXT REFERENCES mask,
        CHECK ((features IS NULL) <> (mask IS NULL)),
        CHECK (scope <> 'row' OR "row" IS NOT NULL),
        CHECK (scope <> 'class' OR label IS NOT NULL))""",
    """CREATE TABLE retraction (
        number INTEGER PRIMARY KEY REFERENCES event,
        feedback INTEGER NOT NULL UNIQUE REFERENCES feedback)""",
)


MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        *_TABLES,
        *only_grows("event", "number"),
        *only_grows("mask", "sha256"),
        *only_grows("feedback", "number"),
        *only_grows("retraction", "feedback"),
    ),
    # From version 2 on, ``features`` may hold {"phrase": [word, …]} too, which older versions would misread.
    (),
    (
        """CREATE TABLE chain (
            number INTEGER PRIMARY KEY REFERENCES event,
            run TEXT NOT NULL,
            sha256 TEXT NOT NULL)""",
        *only_grows("chain", "number"),
    ),
    ANSWER_TABLES,
)
"""The statements that lead from version i to version i + 1. Never edit one that was released; add another."""


def identity(path: Path) -> tuple[int, int] | None:
    """What tells the file of that name from any other; None where there is none that can be seen."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection for reading, which creates and upgrades nothing; without a file, one to an empty database.

    It needs no disk that can be written to. If another program keeps the file locked, it reads what was last stored.

    Raises:
        StudyError: not a feedback database, damaged, made by a newer version, or in a folder that is missing.
    """
    with naming(path):
        if not os.path.lexists(path):
            return _empty(path)
        try:
            return _opened(path, "mode=rw", LOCKED_SECONDS)
        except sqlite3.OperationalError as error:
            if not _is_hindered(error) or _has_wal(path):
                raise
        with suppress(sqlite3.Error, StudyError):  # Half-written by the other program; what it left is checked.
            return _opened(path, "mode=ro&immutable=1")
        return _opened(path, "mode=rw")


def connect_to_write(path: Path) -> sqlite3.Connection:
    """A connection for writing to the feedback database of that name, created or upgraded if needed.

    Raises:
        StudyError: not a feedback database, damaged, made by a newer version, or in a folder that cannot be written to.
    """
    with naming(path):
        if not os.path.lexists(path):
            _create(path)
        connection = _opened(path, "mode=rw")
        try:
            _leave_wal(connection)
            connection.execute("PRAGMA synchronous = EXTRA")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA cache_spill = OFF")  # Which would lock out readers before the end.
            with writing(connection):
                _migrate(connection)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction that holds the write lock from its start; an error rolls it back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """A context that turns SQLite's errors into a StudyError that names the file and says what to do."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # Using a closed store, or one of another thread, is the caller's mistake.
    except UnicodeDecodeError as error:
        raise damaged(path, str(error)) from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorname", "")
        if code.startswith("SQLITE_BUSY"):
            advice = (
                f"another program has been writing to it for {BUSY_TIMEOUT_SECONDS:g} seconds; close that one first"
            )
        elif code.startswith(_NOT_WRITABLE):
            advice = f"check that {path.parent} is a folder you may write to, with space left"
        else:
            advice = "it is not a feedback store or is damaged; restore a copy, or move it away to start again"
        raise StudyError(f"cannot use {path} ({_in_a_line(str(error))}): {advice}") from error


def _opened(path: Path, mode: str, seconds: float | None = None) -> sqlite3.Connection:
    """A connection to a whole database of ours; nothing is created."""
    connection = _open(f"{path.absolute().as_uri()}?{mode}", seconds)
    try:
        _require_ours(connection, path)
        _require_whole(connection, path)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000:.0f}")
    except BaseException:
        connection.close()
        raise
    return connection


def _open(address: str, seconds: float | None = None) -> sqlite3.Connection:
    seconds = BUSY_TIMEOUT_SECONDS if seconds is None else min(seconds, BUSY_TIMEOUT_SECONDS)
    return sqlite3.connect(address, timeout=seconds, isolation_level=None, uri=True)


def _empty(path: Path) -> sqlite3.Connection:
    if not path.parent.is_dir():
        raise StudyError(f"cannot use {path}; {path.parent} is no folder: check the path")
    connection = _open(":memory:")
    _migrate(connection)
    return connection


def _is_hindered(error: sqlite3.OperationalError) -> bool:
    """Whether the file may be whole and only cannot be locked, or the disk not be written to."""
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", *_NOT_WRITABLE))


def _has_wal(path: Path) -> bool:
    """Whether changes of an older version, which wrote them to another file first, have not reached the database."""
    wal = Path(f"{path}-wal")
    return wal.is_file() and wal.stat().st_size > 0


def _leave_wal(connection: sqlite3.Connection) -> None:
    """Bring a database of an older version back into one file, unless another program has it open now.

    A damaged byte in its second file would silently drop the last changes.
    """
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode = DELETE")


def _create(path: Path) -> None:
    """Create the database under another name first, so that no other process sees an incomplete one."""
    # In a folder of its own, because to close a locked file would end SQLite's locks on it.
    with writing_in(path.parent), draft_folder(path) as folder:
        draft = folder / path.name
        draft.touch(exist_ok=False)
        with closing(_open(f"{draft.absolute().as_uri()}?mode=rw")) as connection, writing(connection):
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            _migrate(connection)
        _give_name(draft, path)
        sync(path.parent)


def _give_name(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass  # Another process was first; its database is as good.
    except OSError:
        # A file system without hard links. Only there may two processes that create it at the same moment collide.
        if not os.path.lexists(path):
            temporary.rename(path)


def _require_ours(connection: sqlite3.Connection, path: Path) -> None:
    (found,) = connection.execute("PRAGMA application_id").fetchone()
    if found == APPLICATION_ID:
        return
    if path.stat().st_size == 0:
        raise StudyError(f"{path} is empty; a feedback store never is: restore a copy, or delete it to start again")
    raise StudyError(
        f"{path} is not a feedback store (application id {found:#x}, expected {APPLICATION_ID:#x}); choose another file"
    )


def _require_whole(connection: sqlite3.Connection, path: Path) -> None:
    """Check integrity, tables and numbering, because a damaged page may lose rows without any error."""
    version = version_of(connection)
    if version > len(MIGRATIONS):
        raise StudyError(
            f"{path} has version {version}; this corrigible knows versions up to {len(MIGRATIONS)}: upgrade corrigible"
        )
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        what = found
    elif _schema(connection) != _schema_of(version):
        what = "its tables are not those of a feedback store"
    elif connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
        what = "a reference leads nowhere"
    elif len(set(connection.execute(_COUNTS + _ANSWERS * (version >= ANSWERED_SINCE)).fetchone())) > 1:
        what = "changes are missing"
    else:
        return
    raise damaged(path, what)


_COUNTS = """SELECT (SELECT count(*) FROM event), (SELECT coalesce(max(number), 0) FROM event),
    (SELECT count(*) FROM feedback) + (SELECT count(*) FROM retraction)"""
_ANSWERS = " + (SELECT count(*) FROM answer)"


def _schema(connection: sqlite3.Connection) -> list[tuple[str, ...]]:
    return connection.execute(
        "SELECT name, type, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
    ).fetchall()


def _schema_of(version: int) -> list[tuple[str, ...]]:
    """The tables and triggers of that version."""
    with closing(_open(":memory:")) as connection:
        for statement in chain.from_iterable(MIGRATIONS[:version]):
            connection.execute(statement)
        return _schema(connection)


def damaged(path: Path, what: str) -> StudyError:
    """The error for a store whose content is not what was written."""
    return StudyError(f"{path} is damaged ({_in_a_line(what)}); restore a copy, or move it away to start again")


def _in_a_line(message: str) -> str:
    """What SQLite said, which may quote a whole table."""
    return textwrap.shorten(message, 160, placeholder=" …")


def _migrate(connection: sqlite3.Connection) -> None:
    version = version_of(connection)
    for statement in chain.from_iterable(MIGRATIONS[version:]):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    if version < CHAINED_SINCE:
        append_links(connection, [])
