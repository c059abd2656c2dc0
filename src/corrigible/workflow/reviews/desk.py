"""What a review reads and writes without a model: the store, what stands in it, and the index of items.

One thread owns it, as it owns the store's connection.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from corrigible.errors import FeedbackError, unknown
from corrigible.feedback.stored import Record
from corrigible.said import Feedback
from corrigible.study import Run, open_study
from corrigible.trusted_code import require_trusted
from corrigible.workflow.reviews.asked import number_in, text_in, whole_number
from corrigible.workflow.reviews.asking import LEAST_ROWS, Asking, Wish
from corrigible.workflow.reviews.items import PER_PAGE, SHOWN, THINGS, Items, Wanted
from corrigible.workflow.reviews.regions import region_as_json, region_in_words
from corrigible.workflow.reviews.standing import Place, Standing


class Desk:
    """The study's feedback, and its items once they are known."""

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        self.asking = Asking(str(folder), tell)
        self.study = open_study(folder)
        require_trusted(self.study.folder, self.study.recipe_text)
        self.store = self.study.feedback()
        self.standing = Standing()
        self.items: Items | None = None
        self.facts: Mapping[str, Any] = {}
        self._runs: list[Run] = []
        self.computed: dict[Any, Any] = {}
        """What takes a while and holds until something else is said."""
        self.catch_up()

    @property
    def thing(self) -> str:
        """What the page calls an item."""
        return THINGS[self.facts.get("kind", "table")]

    def close(self) -> None:
        self.store.close()
        self.asking.close()

    def catch_up(self) -> None:
        """Read what was stored since the last time."""
        self.standing.catch_up(self.store)
        if self.items is not None:
            self.items.touch(self.standing)

    def renew(self) -> None:
        """Open the store again, which notes the study's latest run with what is stored.

        Raises:
            StudyError: it cannot be opened; the one that is open stays in use.
        """
        store = self.study.feedback()
        self.store.close()
        self.store = store
        self.catch_up()

    def hear_facts(self, facts: Mapping[str, Any]) -> None:
        """Begin the index; what is predicted follows."""
        self.facts, self.items = facts, Items(facts)
        self.standing.touched = {*self.standing.answers, *self.standing.by_row}
        self.items.touch(self.standing)

    def hear_predictions(self, split: str, start: int, said: Sequence[Mapping[str, Any]]) -> None:
        if self.items is not None:
            self.items.splits[split].hear(start, said)

    def hear_fingerprint(self, place: Place, fingerprint: str) -> None:
        if self.items is not None and not self.fingerprint(place):
            self.items.splits[place[0]].fingerprints[place[1]] = fingerprint

    def fingerprint(self, place: Place) -> str:
        """The hash of the row's input; empty as long as it is not known."""
        return str(self.known_items().splits[place[0]].fingerprints[place[1]])

    def runs(self) -> list[Run]:
        """The finished runs, oldest first; they are read again only where there are others, because none ever changes.

        Raises:
            StudyError: the record of one is damaged.
        """
        folders = self.study.run_folders()
        if folders != [run.folder for run in self._runs]:
            self._runs = self.study.runs()
        return self._runs

    def known_items(self) -> Items:
        """The index.

        Raises:
            FeedbackError: it is not there yet.
        """
        if self.items is None:
            raise FeedbackError("the data is still being loaded; look again in a moment")
        return self.items

    def place(self, split: str, row: int) -> Place:
        """The place itself.

        Raises:
            FeedbackError: there is no such row.
        """
        splits = self.known_items().splits
        if split not in splits or not 0 <= row < splits[split].count:
            known = ", ".join(f"{name} (0 to {rows.count - 1})" for name, rows in splits.items())
            raise FeedbackError(f"there is no row {row} of {split!r}; expected one of {known}")
        return split, row

    def page(
        self, asked: Mapping[str, Any], rows: Sequence[int] | None = None, holding: Sequence[int] = ()
    ) -> dict[str, Any]:
        """A page of items.

        Args:
            rows: those of a suspect, if one is asked for.
            holding: rows whose text holds what is sought.
        """
        self.catch_up()
        items = self.known_items()
        split = text_in(asked, "split", default="") or items.first
        self.place(split, 0)
        if rows is not None and split != items.first:
            rows = ()  # Suspects are about training rows.
        show = text_in(asked, "show", default="all") or "all"
        if show not in SHOWN:
            raise FeedbackError(f"show is {show!r}; expected {', '.join(SHOWN)}")
        wanted = Wanted(split, show, self._label(asked), text_in(asked, "text", default=""), rows, holding)
        found = items.found(wanted)
        pages = max(1, -(-len(found) // PER_PAGE))
        page = min(max(1, number_in(asked, "page", default=1)), pages)
        shown = found[(page - 1) * PER_PAGE : page * PER_PAGE].tolist()
        kind = self.facts["kind"]
        listed = [items.as_json(split, row, self.standing, kind) for row in shown]
        return {"total": len(found), "page": page, "pages": pages, "items": listed}

    def _label(self, asked: Mapping[str, Any]) -> int | None:
        """The class that is asked for, by its name or number."""
        wanted = text_in(asked, "class", default="")
        if not wanted:
            return None
        classes = list(self.known_items().classes)
        if wanted in classes:
            return classes.index(wanted)
        label = whole_number(wanted)
        if label is not None and label < len(classes):
            return label
        raise FeedbackError(f"there is no class {wanted!r}; expected one of {', '.join(classes)}")

    def said_of(self, place: Place) -> dict[str, Any]:
        """What was said about a row, or in general, and the version of it."""
        self.catch_up()
        numbers = self.standing.by_row.get(place, [])
        found = self.store.records_of(self.standing.standing(numbers))
        return {"version": self.standing.version(place), "said": [self.said(record) for record in found]}

    def said(self, record: Record) -> dict[str, Any]:
        """One statement in the form that a page reads."""
        said = record.feedback
        return {
            "id": record.id,
            "polarity": said.polarity,
            "scope": said.scope,
            "author": said.author,
            "at": said.at.isoformat(timespec="seconds") if said.at else "",
            "note": said.note,
            "region": region_as_json(said.region),
            "text": self.region_text(said),
        }

    def region_text(self, said: Feedback) -> str:
        """The region in words."""
        return region_in_words(said.region, self.facts.get("titles", {}))

    def class_of(self, place: Place) -> int | None:
        """The class of a row, as a number; None where labels are no classes."""
        labels = self.known_items().splits[place[0]].labels
        return None if labels is None else int(labels[place[1]])

    def next_item(self, split: str, after: Place | None, strategy: str, run: str) -> dict[str, Any]:
        """The next item to look at: one that the strategy asks for, or else a wrong one, or else the next in order.

        Raises:
            FeedbackError: an unknown part of the data or strategy.
        """
        self.catch_up()
        items = self.known_items()
        split = split or (after[0] if after else items.first)
        self.place(split, 0)
        if strategy and strategy not in self.facts.get("strategies", ()):
            raise FeedbackError(unknown("strategy", strategy[:60], self.facts.get("strategies", ())))
        before = after[1] if after and after[0] == split else None
        found = self._asked(split, before, strategy, run) or items.next_row(split, before)
        if found is None:
            return {"done": True, "sentence": f"Every {self.thing} of {split} has an answer."}
        row, reason, left = found
        return {"split": split, "row": row, "reason": reason, "left": left}

    def _asked(self, split: str, after: int | None, strategy: str, run: str) -> tuple[int, str, int] | None:
        """The first open row that the strategy asks for; None where it has found none yet."""
        rows = self.known_items().splits[split]
        if rows.count < LEAST_ROWS:
            return None
        is_open = ~(rows.reviewed | rows.skipped)
        wanted = self.asking.rows(Wish(run, split, strategy), int((~is_open).sum()))
        for row, reason in wanted:
            if row != after and row < rows.count and is_open[row]:
                return row, f"{reason[0].upper()}{reason[1:]}.", int(is_open.sum()) - (after is not None)
        return None

    def ahead(self, split: str, row: int, count: int) -> list[int]:
        """The rows that are looked at after this one."""
        found = list[int]()
        while self.items is not None and len(found) < count:
            later = self.items.next_row(split, found[-1] if found else row)
            if later is None or later[0] in found:
                break
            found.append(later[0])
        return found

    def reviewed_places(self) -> list[tuple[str, int]]:
        """The rows on which something is marked, in the order of the last change about them."""
        marked = [place for place in self.standing.by_row if self.standing.marks(place)]
        return sorted(marked, key=self.standing.version)

    def counts(self) -> dict[str, int]:
        """How many rows there are, and of how many something is known."""
        self.catch_up()
        splits = self.items.splits.values() if self.items is not None else ()
        return {
            "rows": sum(rows.count for rows in splits),
            "reviewed": sum(int(rows.reviewed.sum()) for rows in splits),
            "marked": sum(int(rows.marked.sum()) for rows in splits),
            "said": len(self.standing.said) - len(self.standing.retracted),
        }
