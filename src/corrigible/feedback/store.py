"""The feedback store: an append-only file of what people said."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from markupsafe import Markup

from corrigible.errors import CorrigibleError, StudyError
from corrigible.feedback.answers import answers_where, checked_answer, insert_answer, last_change, stored_with_key
from corrigible.feedback.chain import ANSWERED_SINCE, append_links, links, version_of
from corrigible.feedback.checks import checked, checked_all, require_text
from corrigible.feedback.database import connect_to_read, connect_to_write, damaged, identity, naming, writing
from corrigible.feedback.stored import Change, Record, changes_after, records_of, statement_of, times_of_statements
from corrigible.feedback.stored import stored_time as stored_time
from corrigible.feedback.writing import insert_event, insert_feedback, insert_retractions, to_retract
from corrigible.said import Answer, Feedback, statements_html

MOST_SHOWN = 50
"""Statements that a notebook lists, the latest."""


class FeedbackStore:
    """Feedback in an SQLite file, usable in ``with``; nothing in it is ever changed or deleted.

    Every change has a number, counted from 1, so that a run can name the revision it saw, and a hash of its content and
    of all changes before it. Whatever is read has been checked against these hashes. The file is created, or upgraded
    from an older version, when something is first stored; to read needs no right to write. Several processes may write
    at once; one store object belongs to the thread that made it. Where the file is made, replaced or moved away
    meanwhile, what has its name is read from then on. Times are in UTC.

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
        self._file = identity(self._path)
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
                    numbers.append(insert_feedback(self._connection, said))
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
            revision = len(self._hashes)
            meant = (said for some in ids for said in to_retract(self._connection, some, revision))
            retracted = list(dict.fromkeys(meant))
            insert_retractions(self._connection, retracted, author, note)
        return retracted

    def answer(self, answer: Answer, feedback: Iterable[Feedback] = ()) -> tuple[int, ...]:
        """Store an answer and the feedback that was given with it, all or nothing, and return the feedback's ids.

        The same answer with a key that the store holds changes nothing; the ids are those of the first time.

        Raises:
            FeedbackError: an answer or feedback that is not well formed, see `checked_answer` and ``checks.checked``.
            KeyUsedError: another answer was stored with this key.
        """
        answer, entries = checked_answer(answer), checked_all(feedback)
        with self._writing():
            known = stored_with_key(self._connection, answer, entries)
            if known is not None:
                return known
            numbers = tuple(insert_feedback(self._connection, said) for said in entries)
            number = insert_event(self._connection, answer.at, answer.author, answer.note)
            insert_answer(self._connection, number, answer, numbers)
        return numbers

    def answers(self, *, after: int = 0) -> list[tuple[int, Answer]]:
        """The number and answer of all answers after that change, oldest first."""
        return self._answers("answer.number > ?", after)

    def answered(self, key: str) -> Answer | None:
        """The answer with that key; None if there is none."""
        return next((answer for _, answer in self._answers("answer.key = ?", key)), None)

    def version(self, split: str, row: int) -> int:
        """The number of the last change about that row: answer, feedback or retraction; 0 if there is none."""
        self._check_new()
        with naming(self._path):
            return last_change(self._connection, split, row) if self._has_answers else 0

    def active(self) -> list[tuple[int, Feedback]]:
        """The id and feedback of all entries that are not retracted, oldest first."""
        return [(record.id, record.feedback) for record in self.records() if record.retraction is None]

    def records(self) -> list[Record]:
        """All entries ever stored, oldest first, with their retractions."""
        return self._records(self.revision)

    def changes(self, *, after: int = 0) -> list[Change]:
        """Every statement and retraction after that change, oldest first, without the regions."""
        self._check_new()
        with naming(self._path):
            return changes_after(self._connection, after)

    def records_of(self, ids: Iterable[int]) -> list[Record]:
        """The entries with these ids, oldest first, with their retractions; ids of no entry are left out."""
        return self._records(self.revision, ids)

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
            self._follow_file()
            self._connect_to_write()
            with writing(self._connection):
                self._check_links()
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
            self._file, self._may_write = identity(self._path), True
        except StudyError:
            self._connection = connect_to_read(self._path)
            raise

    def _follow_file(self) -> None:
        """Connect again where another file has the store's name by now, or none."""
        found = identity(self._path)
        if found == self._file:
            return
        self._connection.execute("SELECT 1")  # As above.
        connection = connect_to_read(self._path)
        self._connection.close()
        self._connection, self._file = connection, found
        self._may_write, self._hashes = False, []

    def _require_seen(self, revision: int) -> None:
        if not 0 <= revision <= self.revision:
            raise StudyError(
                f"{self._path} has revisions 0 to {self.revision}, not {revision}; was it replaced by another file?"
            )

    def _check_new(self) -> None:
        """Read what was stored since, also where that is in another file of this name."""
        with naming(self._path):
            self._follow_file()
        self._check_links()

    def _check_links(self) -> None:
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
            return [insert_feedback(self._connection, said) for said in feedback]

    @property
    def _has_answers(self) -> bool:
        return version_of(self._connection) >= ANSWERED_SINCE

    def _answers(self, condition: str, *values: int | str) -> list[tuple[int, Answer]]:
        self._check_new()
        with naming(self._path):
            try:
                return list(answers_where(self._connection, condition, *values)) if self._has_answers else []
            except (ValueError, TypeError) as error:
                raise damaged(self._path, str(error)) from error

    def _records(self, revision: int, ids: Iterable[int] | None = None) -> list[Record]:
        with naming(self._path):
            try:
                return records_of(self._connection, revision, ids)
            except (ValueError, TypeError, KeyError) as error:
                raise damaged(self._path, str(error)) from error
