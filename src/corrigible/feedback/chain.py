"""The chain of hashes over what was said: each covers its event's content and the hash before it.

So whoever knows the hash of one event can tell whether anything up to it was changed, removed or inserted; each run
records it. A store that is upgraded from a version without a chain gets its hashes then: they fix what it held at that
moment, and say nothing of what happened to it before.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import NamedTuple

CHAINED_SINCE = 3
"""The version of the store from which on it keeps the hashes."""
ANSWERED_SINCE = 4
"""The version from which on it keeps answers."""


class Link(NamedTuple):
    """An event's hash, computed from its content."""

    number: int
    sha256: str
    stored: str | None
    """The hash that is stored with the event; None if there is none, the same in a store of an older version."""
    run: str
    """The study's latest run when the event was stored, and the run's hash; empty outside a study."""


def links(connection: sqlite3.Connection, known: Sequence[str], *, run: str = "") -> Iterator[Link]:
    """The links of all events after those whose hashes are known.

    Args:
        run: what new events say of the latest run.

    Raises:
        TypeError: an event holds a value of a type that is never written.
    """
    previous = known[-1] if known else ""
    version = version_of(connection)
    is_chained = version >= CHAINED_SINCE
    columns, tables = _STORED if is_chained else _NOT_STORED
    answer, answers = _ANSWERED if version >= ANSWERED_SINCE else _NOT_ANSWERED
    query = _EVENTS.format(columns, answer, tables, answers)
    for row in connection.execute(query, {"run": run, "known": len(known)}).fetchall():
        number, said_after, stored, *said = row
        said, answered = said[:-_NUM_ANSWERED], said[-_NUM_ANSWERED:]
        # An event that is no answer has the same hash as before answers were kept.
        said += [] if answered[0] is None else [answered]
        content = json.dumps([previous, number, said_after, *said])
        previous = hashlib.sha256(content.encode()).hexdigest()
        yield Link(number, previous, stored if is_chained else previous, said_after)


def append_links(connection: sqlite3.Connection, known: Sequence[str], *, run: str = "") -> list[str]:
    """Store and return the hashes of all events after those whose hashes are known."""
    found = list(links(connection, known, run=run))
    connection.executemany(
        "INSERT INTO chain VALUES (?, ?, ?)", [(link.number, link.run, link.sha256) for link in found]
    )
    return [link.sha256 for link in found]


def version_of(connection: sqlite3.Connection) -> int:
    """The version of the store's tables."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


_STORED = ("coalesce(chain.run, :run), chain.sha256", "LEFT JOIN chain ON chain.number = event.number")
_NOT_STORED = (":run, NULL", "")
_NUM_ANSWERED = 8
_ANSWERED = (
    """answer.key, answer.split, answer."row", answer.answer, answer.seconds, answer.fingerprint, answer.shown,
    answer.feedback""",
    "LEFT JOIN answer ON answer.number = event.number",
)
_NOT_ANSWERED = (", ".join(["NULL"] * _NUM_ANSWERED), "")
_EVENTS = """
    SELECT event.number, {}, event.at, event.author, event.note, said.polarity, said."row", said.split, said.scope,
           said.label, said.fingerprint, said.features, said.mask, retraction.feedback, {}
    FROM event
    LEFT JOIN feedback AS said ON said.number = event.number
    LEFT JOIN retraction ON retraction.number = event.number
    {}
    {}
    WHERE event.number > :known
    ORDER BY event.number
"""
