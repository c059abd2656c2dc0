"""The feedback store: an append-only file of what people said."""

import hashlib
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from corrigible.errors import FeedbackError, StudyError
from corrigible.feedback.checks import checked, checked_all, require_text
from corrigible.feedback.database import connect, damaged, naming, writing
from corrigible.types import Features, Feedback, Phrase, Pixels, Region


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


class FeedbackStore:
    """Feedback in an SQLite file, usable in ``with``; nothing in it is ever changed or deleted.

    Every change has a number, counted from 1, so that a run can name the revision it saw. Several processes may
    write at once; one store object belongs to the thread that made it. Times are in UTC.

    Raises:
        StudyError: the file is not a feedback store, is damaged, has a newer version, or cannot be written to.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._connection = connect(self._path)

    def __enter__(self) -> "FeedbackStore":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file; the store cannot be used afterwards."""
        self._connection.close()

    @property
    def revision(self) -> int:
        """The number of the last change; 0 if there is no feedback."""
        with naming(self._path):
            (number,) = self._connection.execute("SELECT coalesce(max(number), 0) FROM event").fetchone()
        return int(number)

    def add(self, feedback: Feedback) -> int:
        """Store the feedback, with the current time if it has none, and return its id.

        Raises:
            FeedbackError: the feedback is not well formed, see ``feedback.checks.checked``.
        """
        return self._insert([checked(feedback)])[0]

    def add_all(self, feedback: Iterable[Feedback]) -> list[int]:
        """Store all of the feedback or, if one entry is not well formed, none of it; return the ids."""
        return self._insert(checked_all(feedback))

    def retract(self, id: int, *, author: str = "", note: str = "") -> None:
        """Retract the feedback with that id; the file keeps it, and who retracted it.

        Raises:
            FeedbackError: no such feedback, or it was retracted before.
        """
        require_text("author", author)
        require_text("note", note)
        with naming(self._path), writing(self._connection):
            if not (0 < id <= self.revision and self._holds("feedback", "number", id)):
                raise FeedbackError(f"no feedback has id {id}; list the feedback to see the ids there are")
            if self._holds("retraction", "feedback", id):
                raise FeedbackError(f"feedback {id} is retracted already; there is nothing left to do")
            number = self._event(datetime.now(UTC), author, note)
            self._connection.execute("INSERT INTO retraction VALUES (?, ?)", (number, id))

    def active(self) -> list[tuple[int, Feedback]]:
        """The id and feedback of all entries that are not retracted, oldest first."""
        return [(record.id, record.feedback) for record in self.records() if record.retraction is None]

    def records(self) -> list[Record]:
        """All entries ever stored, oldest first, with their retractions."""
        return self._records(self.revision)

    def at_revision(self, revision: int) -> list[tuple[int, Feedback]]:
        """The id and feedback of all entries active right after that change, oldest first; revision 0 is empty.

        Raises:
            StudyError: the store has not seen that many changes.
        """
        if not 0 <= revision <= self.revision:
            raise StudyError(
                f"{self._path} has revisions 0 to {self.revision}, not {revision}; was it replaced by another file?"
            )
        return [(record.id, record.feedback) for record in self._records(revision) if record.retraction is None]

    def _insert(self, feedback: list[Feedback]) -> list[int]:
        with naming(self._path), writing(self._connection):
            return [self._insert_one(said) for said in feedback]

    def _insert_one(self, said: Feedback) -> int:
        number = self._event(said.at or datetime.now(UTC), said.author, said.note)
        features = mask = None
        if isinstance(said.region, Features):
            features = json.dumps(said.region.names, ensure_ascii=False)
        elif isinstance(said.region, Phrase):
            features = json.dumps({"phrase": said.region.words}, ensure_ascii=False)
        else:
            mask = self._mask(said.region.mask)
        self._connection.execute(
            "INSERT INTO feedback VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (number, said.polarity, said.row, said.split, said.scope, said.label, said.fingerprint, features, mask),
        )
        return number

    def _mask(self, mask: NDArray[np.bool_]) -> str:
        packed = np.packbits(mask).tobytes()
        name = _mask_hash(mask.shape, packed)
        if not self._holds("mask", "sha256", name):
            row = (name, json.dumps(mask.shape), zlib.compress(packed))
            self._connection.execute("INSERT INTO mask VALUES (?, ?, ?)", row)
        return name

    def _event(self, at: datetime, author: str, note: str) -> int:
        row = (at.isoformat(timespec="microseconds"), author, note)
        number = self._connection.execute("INSERT INTO event (at, author, note) VALUES (?, ?, ?)", row).lastrowid
        assert number is not None
        return number

    def _holds(self, table: str, key: str, value: int | str) -> bool:
        found = self._connection.execute(f"SELECT 1 FROM {table} WHERE {key} = ?", (value,))
        return found.fetchone() is not None

    def _records(self, revision: int) -> list[Record]:
        with naming(self._path):
            rows = [_Row(*row) for row in self._connection.execute(_RECORDS, {"revision": revision})]
            regions = {name: self._region(name) for name in {row.mask for row in rows} if name is not None}
        try:
            return [_record(row, regions) for row in rows]
        except (ValueError, TypeError, KeyError) as error:
            raise damaged(self._path, str(error)) from error

    def _region(self, name: str) -> Pixels:
        found = self._connection.execute("SELECT shape, bits FROM mask WHERE sha256 = ?", (name,)).fetchone()
        try:
            shape, packed = tuple(json.loads(found[0])), zlib.decompress(found[1])
            if _mask_hash(shape, packed) != name:
                raise ValueError("its hash does not match")
        except (ValueError, TypeError, zlib.error) as error:
            raise damaged(self._path, f"mask {name[:16]}: {error}") from error
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
    WHERE said.number <= :revision
    ORDER BY said.number
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
