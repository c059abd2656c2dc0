"""Cells of a table in original units: numbers with NaN where empty, words with None where empty."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from numpy.typing import NDArray

Table = pd.DataFrame | Mapping[str, NDArray[Any]]
"""Columns by name, each with one cell per row."""
NEAR = 1e-6
"""Numbers that differ by less than this share of the larger are equal: float32 tells no more."""


def num_rows(table: Table) -> int:
    """The number of rows."""
    return len(table[str(next(iter(table)))])


def numbers_in(table: Table, name: str) -> Float[np.ndarray, " row"]:
    """The numbers of a column, NaN where it is empty."""
    return np.asarray(pd.to_numeric(pd.Series(table[name])).to_numpy(np.float64, na_value=np.nan))


def is_unchanged(before: Table, after: Table, name: str) -> Bool[np.ndarray, " row"]:
    """Where a column holds the same in both tables; an empty cell is the same as an empty cell."""
    first, second = _cells(before, name), _cells(after, name)
    empty = pd.isna(first), pd.isna(second)
    both_empty = empty[0] & empty[1]
    if first.dtype == object or second.dtype == object:
        same = np.asarray(first.astype(object) == second.astype(object), dtype=bool)
    else:
        same = np.isclose(first.astype(np.float64), second.astype(np.float64), rtol=NEAR, atol=0.0)
    return np.asarray((same & ~empty[0] & ~empty[1]) | both_empty)


def ranks_in(table: Table, name: str, order: Sequence[str | float | int]) -> Float[np.ndarray, " row"]:
    """The place of each cell in the order, NaN where it is not in it; without an order the numbers."""
    if not order:
        return numbers_in(table, name)
    place = {_plain(value): float(number) for number, value in enumerate(order)}
    return np.array([place.get(_plain(value), np.nan) for value in _cells(table, name)])


def is_at_most(low: NDArray[np.float64], high: NDArray[np.float64]) -> Bool[np.ndarray, " row"]:
    """Where the first is at most the second, or nearly; an empty cell is neither."""
    return np.asarray(low <= high + NEAR * np.maximum(np.abs(low), np.abs(high)))


def _cells(table: Table, name: str) -> NDArray[Any]:
    cells = table[name]
    if isinstance(cells, pd.Series):
        cells = cells.astype(object) if isinstance(cells.dtype, pd.CategoricalDtype) else cells
        return np.asarray(cells.to_numpy())
    return np.asarray(cells)


def _plain(value: Any) -> str | float | None:
    """A number as a float, an empty cell as None, anything else as text."""
    if value is None or value != value:
        return None
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        return float(value)
    return str(value)
