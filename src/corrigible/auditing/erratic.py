"""What a model answers to rows that no form should let through: empty cells, huge numbers, new categories."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from corrigible.auditing.columns import Column, Numbers
from corrigible.auditing.stored import is_dates, stored
from corrigible.auditing.subject import Subject
from corrigible.errors import CorrigibleError
from corrigible.figures import short_number
from corrigible.printable import one_line

NUM_ROWS = 20
NEW_CATEGORY = "never seen before"
DATES = {"an empty cell": "NaT", "a date in 1700": "1700-01-01", "a date in 2250": "2250-01-01"}
LONGEST = 90
"""Characters of an error that are kept."""
ANSWERS = ("an error", "NaN", "infinite", "outside the usual range", "within the usual range")


@dataclass(frozen=True)
class Erratic:
    """What the model answers to one kind of unusual value in one column."""

    column: str
    given: str
    answer: str
    """One of ``ANSWERS``."""
    detail: str = ""
    """The error, or the farthest prediction."""

    @property
    def is_silent(self) -> bool:
        """Whether the model answers with something that nobody can use, and raises no error."""
        return self.answer in ANSWERS[1:4]


def erratic_answers(
    columns: Mapping[str, Column], subject: Subject, frame: pd.DataFrame, scores: Numbers, seed: int
) -> list[Erratic]:
    """The answers, column by column; the usual range is that of the predictions of all rows."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(frame))[:NUM_ROWS])
    some = frame.iloc[rows]
    ends = (float(scores.min()), float(scores.max()))
    return [
        _asked(name, words, values, some, subject, ends)
        for name, column in columns.items()
        for words, values in _unusual(column, some[name])
    ]


def _unusual(column: Column, held: "pd.Series[Any]") -> Iterator[tuple[str, Any]]:
    if is_dates(held):
        for words, day in DATES.items():
            yield words, pd.Series(pd.Timestamp(day, tz=held.dt.tz), index=held.index, dtype=held.dtype)
        return
    if not column.is_number:
        yield "an empty cell", pd.Series([None] * len(held), index=held.index, dtype=object)
        yield "a new category", pd.Series([NEW_CATEGORY] * len(held), index=held.index, dtype=object)
        return
    known = column.values[np.isfinite(column.values)]
    largest = float(np.abs(known).max()) if len(known) else 1.0
    yield "an empty cell", np.full(len(held), np.nan)
    yield "1,000 times the largest", stored(np.full(len(held), 1000 * (largest or 1.0)), held)
    if known.min(initial=0) >= 0:
        yield "a negative number", stored(np.full(len(held), -(largest or 1.0)), held)
    if known.min(initial=1) > 0:
        yield "zero", stored(np.zeros(len(held)), held)


def _asked(
    name: str, words: str, values: Any, some: pd.DataFrame, subject: Subject, ends: tuple[float, float]
) -> Erratic:
    given = some.copy()
    given[name] = values
    try:
        with _silent():
            found = subject.scores(given)
    except CorrigibleError as error:  # An error is the answer; the model may raise any.
        return Erratic(name, words, ANSWERS[0], _short(error))
    if np.isnan(found).any():
        return Erratic(name, words, ANSWERS[1])
    if np.isinf(found).any():
        return Erratic(name, words, ANSWERS[2])
    slack = 1e-9 + 1e-6 * (ends[1] - ends[0])
    below, above = ends[0] - float(found.min()), float(found.max()) - ends[1]
    if max(below, above) > slack:
        farthest = float(found.min() if below > above else found.max())
        return Erratic(name, words, ANSWERS[3], short_number(farthest))
    return Erratic(name, words, ANSWERS[4])


@contextmanager
def _silent() -> Iterator[None]:
    """Without what libraries say of such rows, which is no fault of the user's."""
    log = logging.getLogger("corrigible")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _short(error: Exception) -> str:
    text = one_line(str(error)).removeprefix("the model cannot predict these rows: ")
    return text if len(text) <= LONGEST else text[: LONGEST - 2].rstrip() + " …"
