"""The SQLite file of the feedback store: create it, open it, and upgrade it to the newest version."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from corrigible.errors import StudyError
from corrigible.folders import sync, temporary_sibling, writing_in

APPLICATION_ID = 0x436F7272
"""Marks a SQLite file as a feedback store: the letters ``Corr``."""
BUSY_TIMEOUT_SECONDS = 30.0
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


def _only_grows(table: str, key: str) -> tuple[str, ...]:
    """Triggers that refuse to change or delete a row; the third is for INSERT OR REPLACE, which fires no other."""
    refuse = "BEGIN SELECT RAISE(ABORT, 'feedback is append-only'); END"
    present = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})"
    return (
        f"CREATE TRIGGER {table}_update BEFORE UPDATE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_delete BEFORE DELETE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_replace BEFORE INSERT ON {table} {present} {refuse}",
    )


MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        *_TABLES,
        *_only_grows("event", "number"),
        *_only_grows("mask", "sha256"),
        *_only_grows("feedback", "number"),
        *_only_grows("retraction", "feedback"),
    ),
    # From version 2 on, ``features`` may hold {"phrase": [word, …]} too, which older versions would misread.
    (),
)
"""The statements that lead from version i to version i + 1. Never edit one that was released; add another."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the feedback database of that name, created or upgraded if needed.

    Raises:
        StudyError: not a feedback database, made by a newer version, or in a folder that cannot be written to.
    """
    with naming(path):
        if not os.path.lexists(path):
            _create(path)
        connection = _open(path)
        try:
            _require_ours(connection, path)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            with writing(connection):
                _migrate(connection, path)
            _require_whole(connection, path)
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
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorname", "")
        if code.startswith("SQLITE_BUSY"):
            advice = (
                f"another program has been writing to it for {BUSY_TIMEOUT_SECONDS:g} seconds; close that one first"
            )
        elif code.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_FULL", "SQLITE_PERM")):
            advice = f"check that {path.parent} is a folder you may write to, with space left"
        else:
            advice = "it is not a feedback store or is damaged; restore a copy, or move it away to start again"
        raise StudyError(f"cannot use {path} ({error}): {advice}") from error


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)


def _create(path: Path) -> None:
    """Create the database under another name first, so that no other process sees an incomplete one."""
    temporary = temporary_sibling(path)
    with writing_in(path.parent):
        try:
            temporary.touch(exist_ok=False)
            with closing(_open(temporary)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                with writing(connection):
                    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    _migrate(connection, path)
            _give_name(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
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
    """Check the database's integrity and numbering, because a damaged page may lose rows without any error."""
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    counts = """SELECT (SELECT count(*) FROM event), (SELECT coalesce(max(number), 0) FROM event),
        (SELECT count(*) FROM feedback) + (SELECT count(*) FROM retraction)"""
    if found != "ok":
        what = " ".join(found.split())
    elif connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
        what = "a reference leads nowhere"
    elif len(set(connection.execute(counts).fetchone())) > 1:
        what = "changes are missing"
    else:
        return
    raise damaged(path, what)


def damaged(path: Path, what: str) -> StudyError:
    """The error for a store whose content is not what was written."""
    return StudyError(f"{path} is damaged ({what}); restore a copy, or move it away to start again")


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StudyError(
            f"{path} has version {version}; this corrigible knows versions up to {len(MIGRATIONS)}: upgrade corrigible"
        )
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
