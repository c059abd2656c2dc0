"""Write what was said into the store's tables."""

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime

from corrigible.errors import FeedbackError
from corrigible.feedback.stored import stored_mask, stored_region, stored_time
from corrigible.said import Feedback, Pixels


def insert_event(connection: sqlite3.Connection, at: datetime | None, author: str, note: str) -> int:
    """Write the event of a change, with the current time if it has none, and return its number."""
    row = (stored_time(at or datetime.now(UTC)), author, note)
    number = connection.execute("INSERT INTO event (at, author, note) VALUES (?, ?, ?)", row).lastrowid
    assert number is not None
    return number


def insert_feedback(connection: sqlite3.Connection, said: Feedback) -> int:
    """Write one statement, and return its number."""
    number = insert_event(connection, said.at, said.author, said.note)
    if isinstance(said.region, Pixels):
        mask = stored_mask(said.region)
        if not holds(connection, "mask", "sha256", mask[0]):
            connection.execute("INSERT INTO mask VALUES (?, ?, ?)", mask)
    about = (said.polarity, said.row, said.split, said.scope, said.label, said.fingerprint)
    row = (number, *about, *stored_region(said.region))
    connection.execute("INSERT INTO feedback VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    return number


def insert_retractions(connection: sqlite3.Connection, ids: Iterable[int], author: str, note: str) -> None:
    """Write a retraction for each of these statements."""
    for said in ids:
        number = insert_event(connection, None, author, note)
        connection.execute("INSERT INTO retraction VALUES (?, ?)", (number, said))


def to_retract(connection: sqlite3.Connection, some: int | range, revision: int) -> list[int]:
    """The ids that are meant: the one, or of a range those that stand.

    Raises:
        FeedbackError: no such feedback, or nothing of it stands.
    """
    if isinstance(some, int):
        _require_standing(connection, some, revision)
        return [some]
    known = range(max(some.start, 1), min(some.stop, revision + 1))
    standing = [
        said for said in known if holds(connection, "feedback", "number", said) and not is_retracted(connection, said)
    ]
    if not standing:
        raise FeedbackError(
            f"no feedback from {some.start} to {some.stop - 1} still stands; list the feedback to see the ids"
        )
    return standing


def is_retracted(connection: sqlite3.Connection, id: int) -> bool:
    """Whether the statement of that number was retracted."""
    return holds(connection, "retraction", "feedback", id)


def holds(connection: sqlite3.Connection, table: str, key: str, value: int | str) -> bool:
    """Whether a table has a row with that value; the names come from the package."""
    found = connection.execute(f"SELECT 1 FROM {table} WHERE {key} = ?", (value,))
    return found.fetchone() is not None


def _require_standing(connection: sqlite3.Connection, id: int, revision: int) -> None:
    if not (0 < id <= revision and holds(connection, "feedback", "number", id)):
        raise FeedbackError(f"no feedback has id {id}; list the feedback to see the ids there are")
    if is_retracted(connection, id):
        raise FeedbackError(f"feedback {id} is retracted already; there is nothing left to do")
