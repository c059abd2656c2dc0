"""What stands in the feedback store, by row, kept up with the store without reading it again."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from corrigible.feedback.store import FeedbackStore
from corrigible.feedback.stored import Change
from corrigible.said import Answer

Place = tuple[str, int]
"""A split and a row."""


@dataclass
class Standing:
    """Answers and statements by row; regions stay in the store."""

    seen: int = 0
    """The number of the last change that was read."""
    sha256: str = ""
    """The hash of that change and all before it."""
    said: dict[int, Change] = field(default_factory=dict)
    """Every statement by its number."""
    retracted: dict[int, int] = field(default_factory=dict)
    """The number of the retraction, by that of the statement."""
    by_row: dict[Place, list[int]] = field(default_factory=dict)
    """The numbers of the statements that were made on a row, retracted or not."""
    answers: dict[Place, list[tuple[int, Answer]]] = field(default_factory=dict)
    """What reviewers answered about a row, oldest first."""
    num_rules: int = 0
    """Statements that stand and are about more than one row."""
    touched: set[Place] = field(default_factory=set)
    """Rows of which something changed since this was emptied."""

    def catch_up(self, store: FeedbackStore) -> None:
        """Read what was stored since the last time, by whatever process."""
        revision = store.revision
        if revision < self.seen or store.hash_at(self.seen) != self.sha256:
            self._forget()
        if revision == self.seen:
            return
        for change in store.changes(after=self.seen):
            self._add(change)
        for number, answer in store.answers(after=self.seen):
            place = (answer.split, answer.row)
            self.answers.setdefault(place, []).append((number, answer))
            self.touched.add(place)
        self.seen, self.sha256 = revision, store.hash_at(revision)

    def _forget(self) -> None:
        """Begin anew: the store's file was replaced by another one."""
        self.touched |= {*self.by_row, *self.answers}
        self.seen, self.sha256 = 0, ""
        for known in (self.said, self.retracted, self.by_row, self.answers):
            known.clear()

    def _add(self, change: Change) -> None:
        if change.retracts is not None:
            self.retracted[change.retracts] = change.number
            change = self.said[change.retracts]
            self.num_rules -= change.scope != "row"
        else:
            self.said[change.number] = change
            self.num_rules += change.scope != "row"
            if change.row is not None:
                assert change.split is not None
                self.by_row.setdefault((change.split, change.row), []).append(change.number)
        if change.row is not None and change.split is not None:
            self.touched.add((change.split, change.row))

    def standing(self, numbers: Iterable[int]) -> list[int]:
        """Those of the statements that were not retracted."""
        return [number for number in numbers if number not in self.retracted]

    def marks(self, place: Place) -> int:
        """How many statements made on that row stand."""
        return len(self.standing(self.by_row.get(place, ())))

    def answer(self, place: Place) -> str:
        """The latest answer about that row; "marked" where something stands and nobody answered; empty for none.

        Who skips it says less than who answered before.
        """
        found = [answer.answer for _, answer in self.answers.get(place, ())]
        told = [answer for answer in found if answer != "skipped"]
        return told[-1] if told else "marked" if self.marks(place) else "skipped" if found else ""

    def version(self, place: Place) -> int:
        """The number of the last change about that row."""
        said = self.by_row.get(place, [])
        numbers = [*said, *(self.retracted[number] for number in said if number in self.retracted)]
        return max([*numbers, *(number for number, _ in self.answers.get(place, ()))], default=0)

    def answer_of_each(self, place: Place) -> dict[str, str]:
        """The latest answer of each reviewer about that row; skipping is no answer."""
        answers = self.answers.get(place, ())
        return {answer.author: answer.answer for _, answer in answers if answer.answer != "skipped"}

    def disagree(self, place: Place) -> bool:
        """Whether two reviewers answered otherwise about that row, or marked the same region both ways."""
        if len(set(self.answer_of_each(place).values())) > 1:
            return True
        marked: dict[str, set[str]] = {}
        for number in self.standing(self.by_row.get(place, ())):
            said = self.said[number]
            marked.setdefault(said.region or "", set()).add(said.polarity or "")
        return any(len(polarities) > 1 for polarities in marked.values())
