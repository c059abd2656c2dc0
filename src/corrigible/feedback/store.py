"""The feedback store: an append-only file of what people said."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from markupsafe import Markup

from corrigible.errors import CorrigibleError, FeedbackError, StudyError
from corrigible.feedback.chain import append_links, links
from corrigible.feedback.checks import checked, checked_all, require_text
from corrigible.feedback.database import connect_to_read, connect_to_write, damaged, naming, writing
from corrigible.feedback.stored import (
    Record,
    records_of,
    statement_of,
    stored_mask,
    stored_region,
    stored_time,
    times_of_statements,
)
from corrigible.said import Feedback, Pixels, statements_html

MOST_SHOWN = 50
"""Statements that a notebook lists, the latest."""


class FeedbackStore:
    """Feedback in an SQLite file, usable in ``with``; nothing in it is ever changed or deleted.

    Every change has a number, counted from 1, so that a run can name the revision it saw, and a hash of its content and
    of all changes before it. Whatever is read has been checked against these hashes. The file is created, or upgraded
    from an older version, when something is first stored; to read needs no right to write. Several processes may write
    at once; one store object belongs to the thread that made it. Times are in UTC.

    Args:
        run: what to note with each change about the latest run of a study.

    Raises:
        StudyError: the file is not a feedback store, is damaged, has a newer version, or cannot be written to.
    """

    def __init__(self, path: str | Path, *, run: str = "") -> None:
        self._path = Path(path)
        self._run = run
        self._may_write = False
        self._hashes: list[str] = []
        self._connection = connect_to_read(self._path)

    def __enter__(self) -> "FeedbackStore":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        try:
            records = self.records()
        except (CorrigibleError, sqlite3.ProgrammingError):
            return f"FeedbackStore({str(self._path)!r}, closed or not readable)"
        num_active = sum(record.retraction is None for record in records)
        retracted = f", {len(records) - num_active} retracted" if num_active < len(records) else ""
        return f"FeedbackStore({str(self._path)!r}, {num_active} active{retracted}, revision {self.revision})"

    def _repr_html_(self) -> str:
        said = Markup("<p>{}</p>").format(repr(self))
        try:
            active = self.active()
        except (CorrigibleError, sqlite3.ProgrammingError):
            return said
        ids = [str(number) for number, _ in active[-MOST_SHOWN:]]
        table = statements_html((found for _, found in active[-MOST_SHOWN:]), id=ids)
        left_out = len(active) - len(ids)
        return said + table + (Markup("<p>and {} earlier ones</p>").format(left_out) if left_out else Markup(""))

    def close(self) -> None:
        """Release the file; the store cannot be used afterwards."""
        self._connection.close()

    @property
    def revision(self) -> int:
        """The number of the last change; 0 if there is no feedback."""
        self._check_new()
        return len(self._hashes)

    def hash_at(self, revision: int) -> str:
        """The hash of that change and all before it; empty for revision 0.

        Raises:
            StudyError: the store has not seen that many changes.
        """
        self._require_seen(revision)
        return self._hashes[revision - 1] if revision else ""

    def runs(self) -> list[str]:
        """What each change notes about the latest run, oldest first; empty before stores kept it."""
        with naming(self._path):
            return [link.run for link in links(self._connection, [])]

    def add(self, feedback: Feedback) -> int:
        """Store the feedback, with the current time if it has none, and return its id.

        Raises:
            FeedbackError: the feedback is not well formed, see ``feedback.checks.checked``.
        """
        return self._insert([checked(feedback)])[0]

    def add_all(self, feedback: Iterable[Feedback]) -> list[int]:
        """Store all of the feedback or, if one entry is not well formed, none of it; return the ids."""
        return self._insert(checked_all(feedback))

    def add_new(self, feedback: Iterable[Feedback]) -> list[int]:
        """Store what the store does not hold yet, retracted or not; return the ids. Storing it again changes nothing.

        Feedback is the same if all of it is the same, its author, note and time included; feedback without a time is
        the same as any that differs in time alone.
        """
        entries = checked_all(feedback)
        with self._writing():
            known = times_of_statements(self._connection)
            numbers = []
            for said in entries:
                times = known.setdefault(statement_of(said), set())
                if not times or (said.at is not None and stored_time(said.at) not in times):
                    numbers.append(self._insert_one(said))
                    times.add("" if said.at is None else stored_time(said.at))
        return numbers

    def retract(self, id: int, *, author: str = "", note: str = "") -> None:
        """Retract the feedback with that id; the file keeps it, and who retracted it.

        Raises:
            FeedbackError: no such feedback, or it was retracted before.
        """
        self.retract_all([id], author=author, note=note)

    def retract_all(self, ids: Iterable[int | range], *, author: str = "", note: str = "") -> list[int]:
        """Retract the feedback with these ids, or none of it; return the ids.

        Args:
            ids: of a range, what still stands is retracted.

        Raises:
            FeedbackError: an id that no feedback has, or whose feedback was retracted before; a range in which nothing
                stands.
        """
        require_text("author", author)
        require_text("note", note)
        with self._writing():
            retracted = list(dict.fromkeys(said for some in ids for said in self._to_retract(some)))
            for said in retracted:
                number = self._event(datetime.now(UTC), author, note)
                self._connection.execute("INSERT INTO retraction VALUES (?, ?)", (number, said))
        return retracted

    def _to_retract(self, some: int | range) -> list[int]:
        """The ids that are meant: the one, or of a range those that stand."""
        if isinstance(some, int):
            self._require_standing(some)
            return [some]
        known = range(max(some.start, 1), min(some.stop, self.revision + 1))
        standing = [said for said in known if self._holds("feedback", "number", said) and not self._is_retracted(said)]
        if not standing:
            raise FeedbackError(
                f"no feedback from {some.start} to {some.stop - 1} still stands; list the feedback to see the ids"
            )
        return standing

    def _require_standing(self, id: int) -> None:
        if not (0 < id <= self.revision and self._holds("feedback", "number", id)):
            raise FeedbackError(f"no feedback has id {id}; list the feedback to see the ids there are")
        if self._is_retracted(id):
            raise FeedbackError(f"feedback {id} is retracted already; there is nothing left to do")

    def _is_retracted(self, id: int) -> bool:
        return self._holds("retraction", "feedback", id)

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
        self._require_seen(revision)
        return [(record.id, record.feedback) for record in self._records(revision) if record.retraction is None]

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction whose changes get their hashes at its end."""
        with naming(self._path):
            self._connect_to_write()
            with writing(self._connection):
                self._check_new()
                yield
                added = append_links(self._connection, self._hashes, run=self._run)
        self._hashes += added

    def _connect_to_write(self) -> None:
        if self._may_write:
            return
        self._connection.execute("SELECT 1")  # An error of the caller if the store is closed.
        self._connection.close()
        try:
            self._connection = connect_to_write(self._path)
            self._may_write = True
        except StudyError:
            self._connection = connect_to_read(self._path)
            raise

    def _require_seen(self, revision: int) -> None:
        if not 0 <= revision <= self.revision:
            raise StudyError(
                f"{self._path} has revisions 0 to {self.revision}, not {revision}; was it replaced by another file?"
            )

    def _check_new(self) -> None:
        """Compare each change that was not read before with its hash."""
        with naming(self._path):
            try:
                for link in links(self._connection, self._hashes):
                    if link.number != len(self._hashes) + 1 or link.stored != link.sha256:
                        raise damaged(self._path, f"change {len(self._hashes) + 1} is not what was stored")
                    self._hashes.append(link.sha256)
            except TypeError as error:
                raise damaged(self._path, str(error)) from error

    def _insert(self, feedback: list[Feedback]) -> list[int]:
        with self._writing():
            return [self._insert_one(said) for said in feedback]

    def _insert_one(self, said: Feedback) -> int:
        number = self._event(said.at or datetime.now(UTC), said.author, said.note)
        if isinstance(said.region, Pixels):
            self._keep_mask(said.region)
        row = (
            said.polarity,
            said.row,
            said.split,
            said.scope,
            said.label,
            said.fingerprint,
            *stored_region(said.region),
        )
        self._connection.execute("INSERT INTO feedback VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (number, *row))
        return number

    def _keep_mask(self, region: Pixels) -> None:
        row = stored_mask(region)
        if not self._holds("mask", "sha256", row[0]):
            self._connection.execute("INSERT INTO mask VALUES (?, ?, ?)", row)

    def _event(self, at: datetime, author: str, note: str) -> int:
        row = (stored_time(at), author, note)
        number = self._connection.execute("INSERT INTO event (at, author, note) VALUES (?, ?, ?)", row).lastrowid
        assert number is not None
        return number

    def _holds(self, table: str, key: str, value: int | str) -> bool:
        found = self._connection.execute(f"SELECT 1 FROM {table} WHERE {key} = ?", (value,))
        return found.fetchone() is not None

    def _records(self, revision: int) -> list[Record]:
        with naming(self._path):
            try:
                return records_of(self._connection, revision)
            except (ValueError, TypeError, KeyError) as error:
                raise damaged(self._path, str(error)) from error
