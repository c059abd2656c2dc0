"""What the store's table of answers holds: what reviewers answered about rows, also where they marked nothing."""

import json
import math
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, get_args

from corrigible.errors import FeedbackError
from corrigible.feedback.checks import LARGEST_INTEGER, in_utc, require_known, require_text, shortened
from corrigible.feedback.only_grows import only_grows
from corrigible.feedback.stored import records_of, statement_of
from corrigible.said import Answer, Feedback, Judgement

MOST_SECONDS = 7 * 24 * 3600.0
"""The longest time that a reviewer may have looked."""
LONGEST_KEY = 100
ANSWERS: tuple[Judgement, ...] = get_args(Judgement)
ANSWER_TABLES = (
    """CREATE TABLE answer (
        number INTEGER PRIMARY KEY REFERENCES event,
        key TEXT NOT NULL UNIQUE CHECK (key <> ''),
        split TEXT NOT NULL CHECK (split <> ''),
        "row" INTEGER NOT NULL CHECK ("row" >= 0),
        answer TEXT NOT NULL CHECK (answer <> ''),
        seconds REAL CHECK (seconds >= 0),
        fingerprint TEXT,
        shown TEXT NOT NULL,
        feedback TEXT NOT NULL)""",
    *only_grows("answer", "number"),
    """CREATE TRIGGER answer_key BEFORE INSERT ON answer WHEN EXISTS (SELECT 1 FROM answer WHERE key = NEW.key)
        BEGIN SELECT RAISE(ABORT, 'feedback is append-only'); END""",
    'CREATE INDEX answer_place ON answer (split, "row")',
    'CREATE INDEX feedback_place ON feedback (split, "row")',
)
"""What version 4 adds: answers, and where to find what was said about a row without reading all of it."""


class KeyUsedError(FeedbackError):
    """The key of an answer with which another answer was stored before."""


def checked_answer(answer: Answer) -> Answer:
    """The answer with its time in UTC, and a key.

    Raises:
        FeedbackError: an unknown answer, a row or a time out of range, text that is not text.
    """
    require_known("answer", answer.answer, ANSWERS)
    if type(answer.row) is not int or not 0 <= answer.row <= LARGEST_INTEGER:
        raise FeedbackError(f"row is {shortened(answer.row)}; expected a whole number from 0")
    for what in ("split", "author", "note", "key"):
        require_text(what, getattr(answer, what))
    require_text("fingerprint", answer.fingerprint or "")
    if not answer.split:
        raise FeedbackError("split is empty; expected the name of a part of the data, such as 'train'")
    if len(answer.key) > LONGEST_KEY:
        raise FeedbackError(f"the key has {len(answer.key)} characters; expected at most {LONGEST_KEY}")
    for name in answer.shown:
        require_text("proposal", name)
    seconds = answer.seconds
    if seconds is not None and not (math.isfinite(seconds) and 0 <= seconds <= MOST_SECONDS):
        raise FeedbackError(f"seconds is {shortened(seconds)}; expected 0 to {MOST_SECONDS:.0f}")
    at = None if answer.at is None else in_utc(answer.at)
    return replace(answer, at=at, key=answer.key or str(uuid.uuid4()))


def insert_answer(connection: sqlite3.Connection, number: int, answer: Answer, feedback: Sequence[int]) -> None:
    """Write the row of an answer, whose event has this number, and which stored this feedback."""
    about = (answer.key, answer.split, answer.row, answer.answer, answer.seconds, answer.fingerprint)
    lists = (json.dumps(answer.shown), json.dumps(list(feedback)))
    connection.execute("INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (number, *about, *lists))


def stored_with_key(
    connection: sqlite3.Connection, answer: Answer, feedback: Iterable[Feedback]
) -> tuple[int, ...] | None:
    """The ids of the feedback that was stored with this answer, as its key says; None if it is not stored yet.

    When the answer and its feedback were made does not count.

    Raises:
        KeyUsedError: another answer was stored with this key.
    """
    stored = next((found for _, found in answers_where(connection, "answer.key = ?", answer.key)), None)
    if stored is None:
        return None
    said = records_of(connection, LARGEST_INTEGER, stored.feedback)
    is_same = replace(stored, at=None, feedback=()) == replace(answer, at=None, feedback=())
    if not is_same or [statement_of(record.feedback) for record in said] != [*map(statement_of, feedback)]:
        raise KeyUsedError(
            f"the key {shortened(answer.key)} was used for another answer, about row {stored.row} of {stored.split}; "
            "nothing was stored: open it and answer again"
        )
    return stored.feedback


def answers_where(connection: sqlite3.Connection, condition: str, *values: Any) -> Iterator[tuple[int, Answer]]:
    """The number and answer of all that fulfil a condition of SQL, which comes from the package, oldest first."""
    query = f"{_ANSWERS} WHERE {condition} ORDER BY answer.number"
    for number, at, author, note, key, split, row, answer, seconds, fingerprint, shown, feedback in connection.execute(
        query, values
    ):
        about: dict[str, Any] = {"key": key, "seconds": seconds, "fingerprint": fingerprint}
        about |= {"at": datetime.fromisoformat(at), "author": author, "note": note}
        about |= {"shown": tuple(json.loads(shown)), "feedback": tuple(json.loads(feedback))}
        yield number, Answer(row, answer, split, **about)


def last_change(connection: sqlite3.Connection, split: str, row: int) -> int:
    """The number of the last answer, statement or retraction about that row; 0 if there is none."""
    (found,) = connection.execute(_LAST_CHANGE, {"split": split, "row": row}).fetchone()
    return int(found)


_ANSWERS = """
    SELECT answer.number, event.at, event.author, event.note, answer.key, answer.split, answer."row", answer.answer,
           answer.seconds, answer.fingerprint, answer.shown, answer.feedback
    FROM answer JOIN event ON event.number = answer.number
"""
_LAST_CHANGE = """
    SELECT max(
        (SELECT coalesce(max(number), 0) FROM answer WHERE split = :split AND "row" = :row),
        (SELECT coalesce(max(number), 0) FROM feedback WHERE split = :split AND "row" = :row),
        (SELECT coalesce(max(retraction.number), 0) FROM feedback
            JOIN retraction ON retraction.feedback = feedback.number
            WHERE feedback.split = :split AND feedback."row" = :row))
"""
