"""What the store's tables hold, as feedback, and feedback as the tables hold it."""

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import prod
from typing import Any, NamedTuple

import numpy as np

from corrigible.said import Features, Feedback, Phrase, Pixels, Region


@dataclass(frozen=True)
class Retraction:
    """The retraction of a piece of feedback."""

    number: int
    """The number of the change; changes are counted from 1."""
    at: datetime
    author: str
    note: str


@dataclass(frozen=True)
class Record:
    """A stored piece of feedback, with its retraction if there is one."""

    id: int
    """The number of the change that added it."""
    feedback: Feedback
    retraction: Retraction | None = None


@dataclass(frozen=True)
class Change:
    """A statement or a retraction, without the region."""

    number: int
    retracts: int | None
    """The statement that is retracted; None for a statement."""
    polarity: str | None
    scope: str | None
    split: str | None
    row: int | None
    label: int | None
    author: str
    region: str | None
    """What the region is named by: the same text for the same region."""


def changes_after(connection: sqlite3.Connection, number: int) -> list[Change]:
    """Every statement and retraction after that change, oldest first."""
    return [Change(*row) for row in connection.execute(_CHANGES, (number,))]


def records_of(connection: sqlite3.Connection, revision: int, ids: Iterable[int] | None = None) -> list[Record]:
    """All entries up to that change, or those with these ids, oldest first, with their retractions up to then.

    Raises:
        ValueError, TypeError, KeyError: a value that is never written.
    """
    if ids is None:
        found = connection.execute(_RECORDS.format(""), {"revision": revision}).fetchall()
    else:
        one = _RECORDS.format("AND said.number = :id")
        found = [
            row for number in sorted(set(ids)) for row in connection.execute(one, {"revision": revision, "id": number})
        ]
    rows = [_Row(*row) for row in found]
    regions = {name: _marked(connection, name) for name in {row.mask for row in rows} if name is not None}
    return [_record(row, regions) for row in rows]


def stored_time(at: datetime) -> str:
    """A time in UTC as it is stored."""
    return at.isoformat(timespec="microseconds")


def stored_region(region: Region) -> tuple[str | None, str | None]:
    """The columns ``features`` and ``mask``, one of which is None."""
    if isinstance(region, Features):
        return json.dumps(region.names, ensure_ascii=False), None
    if isinstance(region, Phrase):
        return json.dumps({"phrase": region.words}, ensure_ascii=False), None
    return None, stored_mask(region)[0]


def stored_mask(region: Pixels) -> tuple[str, str, bytes]:
    """The columns of a mask: a hash that names it, its shape and its bits."""
    packed = np.packbits(region.mask).tobytes()
    return _mask_hash(region.mask.shape, packed), json.dumps(region.mask.shape), zlib.compress(packed)


def statement_of(said: Feedback) -> tuple[Any, ...]:
    """What tells one statement from another, apart from its time."""
    about = (said.polarity, said.row, said.split, said.scope, said.label, said.fingerprint)
    return (said.author, said.note, *about, *stored_region(said.region))


def times_of_statements(connection: sqlite3.Connection) -> dict[tuple[Any, ...], set[str]]:
    """The times at which each statement of the store was made."""
    found: dict[tuple[Any, ...], set[str]] = {}
    for at, *statement in connection.execute(_STATEMENTS):
        found.setdefault(tuple(statement), set()).add(at)
    return found


_STATEMENTS = """
    SELECT at, author, note, polarity, "row", split, scope, label, fingerprint, features, mask
    FROM feedback JOIN event USING (number)
"""


def _marked(connection: sqlite3.Connection, name: str) -> Pixels:
    found = connection.execute("SELECT shape, bits FROM mask WHERE sha256 = ?", (name,)).fetchone()
    try:
        shape, packed = tuple(json.loads(found[0])), zlib.decompress(found[1])
        if _mask_hash(shape, packed) != name:
            raise ValueError("its hash does not match")
    except (ValueError, TypeError, zlib.error) as error:
        raise ValueError(f"mask {name[:16]}: {error}") from error
    mask = np.unpackbits(np.frombuffer(packed, np.uint8), count=prod(shape)).view(np.bool_).reshape(shape)
    mask.setflags(write=False)  # Shared by all feedback with this mask.
    return Pixels(mask)


class _Row(NamedTuple):
    number: int
    at: str
    author: str
    note: str
    polarity: Any
    row: int | None
    split: str
    scope: Any
    label: int | None
    fingerprint: str | None
    features: str | None
    mask: str | None
    retraction: int | None
    retracted_at: str
    retracted_by: str
    why: str


_RECORDS = """
    SELECT said.number, spoken.at, spoken.author, spoken.note, said.polarity, said."row", said.split, said.scope,
           said.label, said.fingerprint, said.features, said.mask, retraction.number, taken.at, taken.author, taken.note
    FROM feedback AS said
    JOIN event AS spoken ON spoken.number = said.number
    LEFT JOIN retraction ON retraction.feedback = said.number AND retraction.number <= :revision
    LEFT JOIN event AS taken ON taken.number = retraction.number
    WHERE said.number <= :revision {}
    ORDER BY said.number
"""
_CHANGES = """
    SELECT event.number, retraction.feedback, said.polarity, said.scope, said.split, said."row", said.label,
           event.author, coalesce(said.mask, said.features)
    FROM event
    LEFT JOIN feedback AS said ON said.number = event.number
    LEFT JOIN retraction ON retraction.number = event.number
    WHERE event.number > ? AND coalesce(said.number, retraction.number) IS NOT NULL
    ORDER BY event.number
"""


def _record(row: _Row, regions: dict[str, Pixels]) -> Record:
    region = _named_region(json.loads(row.features or "[]")) if row.mask is None else regions[row.mask]
    at = datetime.fromisoformat(row.at)
    said = Feedback(
        region,
        polarity=row.polarity,
        scope=row.scope,
        row=row.row,
        split=row.split,
        label=row.label,
        fingerprint=row.fingerprint,
        author=row.author,
        at=at,
        note=row.note,
    )
    if row.retraction is None:
        return Record(row.number, said)
    taken_back_at = datetime.fromisoformat(row.retracted_at)
    return Record(row.number, said, Retraction(row.retraction, taken_back_at, row.retracted_by, row.why))


def _named_region(written: Any) -> Region:
    return Phrase(tuple(written["phrase"])) if isinstance(written, dict) else Features(tuple(written))


def _mask_hash(shape: tuple[int, ...], packed: bytes) -> str:
    return hashlib.sha256(repr(tuple(shape)).encode() + packed).hexdigest()
