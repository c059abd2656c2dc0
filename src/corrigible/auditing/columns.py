"""The columns of a frame as numbers: amounts as they are, categories as the places of their levels."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_datetime64_any_dtype, is_numeric_dtype

MOST_LEVELS = 254
"""Rarer levels are one level together."""
Numbers = NDArray[np.float64]
REST = "all rarer ones"


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    values: Numbers
    """Numbers, or the places of categories in ``levels``; NaN where the cell is empty."""
    levels: tuple[str, ...] = ()
    """The categories, the most frequent first; empty for numbers."""

    @property
    def is_number(self) -> bool:
        return not self.levels

    @property
    def varies(self) -> bool:
        """Whether two rows differ in it; an empty cell differs from all others."""
        return len(np.unique(self.values)) > 1

    def at(self, rows: NDArray[Any]) -> "Column":
        """The column at these rows."""
        return Column(self.name, self.values[rows], self.levels)


def columns_in(frame: pd.DataFrame) -> dict[str, Column]:
    """Each column by its name. Truth values, text and categories are categories; dates are numbers of days."""
    return {str(name): column_of(frame[name], str(name)) for name in frame.columns}


def column_of(given: Any, name: str) -> Column:
    """One column; infinite numbers count as empty cells."""
    series = pd.Series(given)
    if is_datetime64_any_dtype(series.dtype):
        days = (series - pd.Timestamp(0, tz=series.dt.tz)) / pd.Timedelta(days=1)
        return Column(name, days.to_numpy(np.float64, na_value=np.nan).astype(np.float64))
    if is_numeric_dtype(series.dtype) and not is_bool_dtype(series.dtype):
        numbers = pd.to_numeric(series).to_numpy(np.float64, na_value=np.nan, copy=True)
        return Column(name, np.where(np.isfinite(numbers), numbers, np.nan))
    words = series.astype(object).where(series.notna(), None)
    counts = pd.Series([None if word is None else str(word) for word in words], dtype=object).value_counts()
    levels = [str(level) for level in counts.index[:MOST_LEVELS]] + [REST] * (len(counts) > MOST_LEVELS)
    place = {level: number for number, level in enumerate(levels)}
    last = float(len(levels) - 1)
    values = [np.nan if word is None else float(place.get(str(word), last)) for word in words]
    return Column(name, np.array(values, dtype=np.float64), tuple(levels) or (REST,))


def matrix_of(columns: Iterable[Column]) -> tuple[Numbers, NDArray[np.bool_]]:
    """The columns side by side, (row, column), and which of them are categories of more than two levels.

    Two levels are split like the numbers 0 and 1: boosting leaves out levels of a category that fewer than ten rows
    have.
    """
    found = list(columns)
    return np.column_stack([column.values for column in found]), np.array([len(c.levels) > 2 for c in found])


def without(columns: Mapping[str, Column], names: Iterable[str]) -> dict[str, Column]:
    """The columns of other names."""
    left_out = set(names)
    return {name: column for name, column in columns.items() if name not in left_out}
