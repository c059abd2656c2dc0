"""What is to be told, as numbers whose squared error can be compared: a 0 or 1 for each class, or ranks of amounts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from corrigible.auditing.columns import Column, Numbers, column_of
from corrigible.printable import plural

MOST_CLASSES = 5
"""Of more classes, the most frequent ones are told apart, without those of fewer than ten rows."""
LEAST_OF_CLASS = 10
"""Rows of a class; of fewer nothing is measured."""
FEW = 10
"""Whole numbers of at most as many different values are classes."""


@dataclass(frozen=True)
class Outcome:
    """A label or an attribute of each row; rows where it is unknown are left out before."""

    z: Numbers
    """(row, part): for two classes 0 or 1, for several a 0 or 1 for each, for amounts numbers."""
    names: tuple[str, ...]
    """The class of each part; empty for amounts."""

    @property
    def is_classes(self) -> bool:
        return bool(self.names)

    def at(self, rows: NDArray[Any]) -> "Outcome":
        """The outcome of these rows."""
        return Outcome(self.z[rows], self.names)


def outcome_of(column: Column, *, by_rank: bool = False) -> Outcome:
    """The column as something to tell.

    Args:
        by_rank: take the ranks of amounts, from 0 to 1, so that a few huge ones do not decide everything.
    """
    if column.is_number:
        amounts = rankdata(column.values) / len(column.values) if by_rank else column.values
        return Outcome(amounts[:, None], ())
    if len(column.levels) == 2:
        return Outcome((column.values == 1.0)[:, None].astype(np.float64), (column.levels[1],))
    counts = (column.values[:, None] == np.arange(min(len(column.levels), MOST_CLASSES))).sum(axis=0)
    places = [place for place, count in enumerate(counts) if place < 2 or count >= LEAST_OF_CLASS]
    names = tuple(column.levels[place] for place in places)
    return Outcome((column.values[:, None] == np.array(places)).astype(np.float64), names)


def as_classes(given: Any, name: str) -> Column:
    """The column, with numbers of at most ten different values read as categories."""
    column = column_of(given, name)
    if not column.is_number or len(np.unique(column.values[np.isfinite(column.values)])) > FEW:
        return column
    words = [None if np.isnan(value) else f"{value:g}" for value in column.values]
    return column_of(pd.Series(words, dtype=object), name)


def why_not_told(column: Column) -> str:
    """Why nothing can be said of how well an attribute is told, in words; empty if something can.

    Args:
        column: of the rows where it is known.
    """
    if column.is_number:
        rows = len(column.values)
        return f"{plural(rows, 'row')} hold a value of {column.name}" if rows < 2 * LEAST_OF_CLASS else ""
    counts = np.bincount(column.values.astype(np.int64), minlength=len(column.levels))
    if (counts >= LEAST_OF_CLASS).sum() >= 2:
        return ""
    named = zip(column.levels[:MOST_CLASSES], counts[:MOST_CLASSES], strict=True)
    held = ", ".join(f"{level} {plural(int(count), 'row')}" for level, count in named)
    return f"of {column.name}, {held}: too few, two groups of at least {LEAST_OF_CLASS} rows are needed"


def skill(z: Numbers, predicted: Numbers) -> float:
    """The share of the variance that the predictions tell, R²: 1 for all, 0 for nothing; below where they mislead."""
    total = float(np.square(z - z.mean(axis=0)).sum())
    return 1 - float(np.square(z - predicted).sum()) / total if total > 0 else 0.0
