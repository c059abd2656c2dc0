"""The different rows of a table, each once and with the sum of its weights.

A row that is given twice and a row of weight 2 are then the same training data, and the same network comes out, bit for
bit; so does it for any order of the rows. A row that is heavier than the mean is divided into equal parts, so that it
is seen as often as its weight says and no step follows one row alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from corrigible.data.cells import Words, cells_of

ROUNDING = 1e-6
"""By which a weight, relative to the mean, may be above a whole number of parts."""


@dataclass(frozen=True)
class DistinctRows:
    """What is learned from: each different row as one or several parts of equal weight."""

    index: NDArray[np.int64]
    """For each part, the position of its row in the given rows."""
    weight: NDArray[np.float64]
    """Of each part, at most 1 on the scale on which the mean weight of different rows is 1."""
    number: NDArray[np.int64]
    """The number of each part's row among the different rows."""

    @property
    def num_rows(self) -> int:
        """The number of different rows."""
        return int(self.number[-1]) + 1


def distinct_rows(
    frame: pd.DataFrame, beside: Sequence[NDArray[np.float64]], weight: NDArray[np.float64]
) -> DistinctRows:
    """The different rows, in an order that follows from what they hold.

    Args:
        beside: labels, and what else belongs to a row.
        weight: of each row, above 0.

    Raises:
        DataError: a column that holds neither numbers nor text.
    """
    table = np.column_stack([*(_numbers(frame[name]) for name in frame.columns), *beside])
    # Compared byte by byte: 0 and -0 are one number, and all NaN are alike.
    table = np.where(np.isnan(table), np.nan, table + 0.0)
    rows = np.ascontiguousarray(table).view(np.dtype((np.void, table.dtype.itemsize * table.shape[1])))[:, 0]
    _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
    total = np.bincount(inverse.ravel(), weights=weight)
    relative = total * len(total) / total.sum()
    parts = np.ceil(relative - ROUNDING).clip(min=1).astype(np.int64)
    number = np.repeat(np.arange(len(total)), parts)
    return DistinctRows(first[number], (relative / parts)[number], number)


def _numbers(values: "pd.Series[float]") -> NDArray[np.float64]:
    """The column as numbers that are equal where its cells are: of texts, their places in the alphabet."""
    cells = cells_of(values)
    if not isinstance(cells, Words):
        return cells
    places = np.empty(len(cells.texts) + 1)
    places[np.argsort(np.array([*cells.texts], dtype=object), kind="stable")] = np.arange(len(cells.texts))
    places[-1] = np.nan
    return places[cells.codes]
