"""The items of a study as an index that is built once: pages and filters of 100,000 rows need no model and no file."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from corrigible.workflow.reviews.addresses import thumb_address
from corrigible.workflow.reviews.standing import Place, Standing

PER_PAGE = 48
THINGS = {"image": "image", "table": "row", "text": "text"}
"""What a page calls an item, by the kind of data."""
SHOWN = ("all", "wrong", "unreviewed", "reviewed", "marked", "disagree")


class Texts:
    """Texts of rows, each kept once."""

    def __init__(self, count: int) -> None:
        self.known: list[str] = []
        self.places: dict[str, int] = {}
        self.of_row = np.full(count, -1, np.int32)

    def put(self, row: int, text: str) -> None:
        place = self.places.setdefault(text, len(self.known))
        if place == len(self.known):
            self.known.append(text)
        self.of_row[row] = place

    def at(self, row: int) -> str | None:
        """The text of the row; None until it is known."""
        place = int(self.of_row[row])
        return None if place < 0 else self.known[place]


class Rows:
    """One split: labels, what is predicted as far as it is known, and what was answered."""

    def __init__(self, facts: Mapping[str, Any], thing: str) -> None:
        count = facts["rows"]
        self.count: int = count
        self.thing = thing
        self.labels = None if facts["labels"] is None else np.asarray(facts["labels"])
        self.label_texts: Sequence[str] = facts["texts"] or ()
        self.files: Sequence[str] = facts["files"]
        self.num_words: Sequence[int] = facts["words"]
        """Of each row; empty where rows are no texts."""
        self.fingerprints = np.zeros(count, "U16")
        """The hash of each row's input; empty where it is not known."""
        self.predicted, self.certain = Texts(count), Texts(count)
        self.is_right = np.full(count, -1, np.int8)
        """-1 where it is not known, or where a prediction is neither right nor wrong."""
        self.reviewed, self.skipped, self.marked, self.disagreed = (np.zeros(count, bool) for _ in range(4))

    def hear(self, start: int, said: Sequence[Mapping[str, Any]]) -> None:
        """Note what is predicted of the rows from ``start`` on, and the hashes of their inputs."""
        for row, found in enumerate(said, start=start):
            self.predicted.put(row, found["prediction"])
            self.certain.put(row, found["certainty"])
            self.is_right[row] = -1 if found["is_right"] is None else int(found["is_right"])
            self.fingerprints[row] = found["fingerprint"]

    def name(self, row: int) -> str:
        """The row by its file, or its number."""
        return self.files[row] if self.files else f"{self.thing} {row}"

    def prediction(self, row: int) -> tuple[str | None, str | None, bool | None]:
        """What is predicted, how certain, and whether it is right; None as long as it is not known."""
        is_right = None if self.is_right[row] < 0 else bool(self.is_right[row])
        return self.predicted.at(row), self.certain.at(row), is_right


class Wanted(NamedTuple):
    """What of the items is asked for."""

    split: str
    show: str = "all"
    label: int | None = None
    text: str = ""
    rows: Sequence[int] | None = None
    """These alone, such as the examples of a suspect."""
    holding: Sequence[int] = ()
    """Rows whose text holds what is sought, beside those of that name."""


class Items:
    """All splits of a study."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.classes: Sequence[str] = facts["classes"]
        thing = THINGS[facts["kind"]]
        self.splits = {split: Rows(found, thing) for split, found in facts["splits"].items()}
        self.first = next(iter(self.splits))

    def touch(self, standing: Standing) -> None:
        """Bring the rows of which something changed up to date."""
        for split, row in standing.touched:
            rows = self.splits.get(split)
            if rows is not None and row < rows.count:
                place = (split, row)
                answer = standing.answer(place)
                rows.reviewed[row], rows.skipped[row] = bool(answer) and answer != "skipped", answer == "skipped"
                rows.marked[row] = standing.marks(place) > 0
                rows.disagreed[row] = standing.disagree(place)
        standing.touched.clear()

    def found(self, wanted: Wanted) -> NDArray[np.int64]:
        """The rows that are asked for, in their order."""
        rows = self.splits[wanted.split]
        chosen = self._shown(rows, wanted.show)
        if wanted.label is not None:
            chosen = chosen & (rows.labels == wanted.label if rows.labels is not None else False)
        if wanted.rows is not None:
            chosen = chosen & np.isin(np.arange(rows.count), wanted.rows)
        if wanted.text:
            named = np.zeros(rows.count, bool)
            named[_named(rows, wanted.text)] = True
            named[np.asarray(wanted.holding, dtype=np.int64)] = True
            chosen = chosen & named
        return np.flatnonzero(chosen)

    @staticmethod
    def _shown(rows: Rows, show: str) -> NDArray[np.bool_]:
        match show:
            case "wrong":
                return np.equal(rows.is_right, 0)
            case "unreviewed":
                return ~rows.reviewed
            case "reviewed":
                return rows.reviewed
            case "marked":
                return rows.marked
            case "disagree":
                return rows.disagreed
            case _:
                return np.ones(rows.count, bool)

    def as_json(self, split: str, row: int, standing: Standing, kind: str) -> dict[str, Any]:
        """One item of a list."""
        rows, place = self.splits[split], (split, row)
        prediction, certainty, is_right = rows.prediction(row)
        return {
            "split": split,
            "row": row,
            "name": rows.name(row),
            "label": self.label(place),
            "prediction": prediction,
            "is_right": is_right,
            "certainty": certainty,
            "answer": standing.answer(place) or None,
            "marks": standing.marks(place),
            "thumb": thumb_address(split, row) if kind == "image" else None,
            "snippet": None,
        }

    def label(self, place: Place) -> str:
        """The label of a row as text."""
        rows = self.splits[place[0]]
        if rows.labels is None:
            return rows.label_texts[place[1]]
        label = int(rows.labels[place[1]])
        return self.classes[label] if label < len(self.classes) else str(label)

    def next_row(self, split: str, after: int | None) -> tuple[int, str, int] | None:
        """The next row to look at, why, and how many are left; wrong predictions come first, each in order."""
        rows = self.splits[split]
        is_open = ~(rows.reviewed | rows.skipped)
        if after is not None and after < rows.count:
            is_open[after] = False
        left = int(is_open.sum())
        wrong = np.flatnonzero(is_open & (rows.is_right == 0))
        others = np.flatnonzero(is_open)
        for found, reason in ((wrong, "The model is wrong here."), (others, "Nobody has looked at this one yet.")):
            if len(found):
                later = found[found > (-1 if after is None else after)]
                return int(later[0] if len(later) else found[0]), reason, left
        return None


def _named(rows: Rows, text: str) -> list[int]:
    """The rows whose name holds the text; where rows have numbers, the row of that number."""
    if rows.files:
        wanted = text.casefold()
        return [row for row, name in enumerate(rows.files) if wanted in name.casefold()]
    number = re.fullmatch(rf"(?:{rows.thing} |row )?(\d{{1,12}})", text.strip())
    return [int(number[1])] if number and int(number[1]) < rows.count else []
