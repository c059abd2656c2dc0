"""The attributes of a portfolio: the values that they take together, their shares, and rows that hold such values."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from torch import Tensor

from corrigible.data.dataset import TensorData
from corrigible.data.frames import as_frame
from corrigible.errors import DataError
from corrigible.prices.given import numbers_of
from corrigible.printable import plural

PARTS = 20
"""A number with more values than this is averaged over the means of as many parts of equal exposure."""
MOST_COMBINATIONS = 500


@dataclass(frozen=True)
class Attributes:
    """Columns of a portfolio whose values are averaged over."""

    names: tuple[Any, ...]
    """Of columns, or their places."""
    columns: tuple[Any, ...]
    """All columns in training, in their order; the places of an array's."""
    dtypes: Mapping[Any, Any]
    """How the attributes are stored."""
    shares: pd.DataFrame
    """The values that the attributes take together, a row for each combination, and its ``share`` of the exposure."""
    num_unknown: int
    """Rows that lack a value, and do not count for the shares."""
    is_frame: bool

    def rows_with(self, X: Any) -> Iterator[tuple[float, Any]]:
        """Each combination's share, and the rows with its values in the place of their own, which they may lack.

        Raises:
            DataError: other columns than in training.
        """
        rows = self._rest(X)
        for values in self.shares.itertuples(index=False):
            yield values[-1], self._placed(rows, dict(zip(self.names, values[:-1], strict=True)))

    def _rest(self, X: Any) -> Any:
        """The rows without the attributes."""
        rest = [name for name in self.columns if name not in self.names]
        if self.is_frame:
            frame = as_frame(X)
            if odd := sorted(map(str, set(rest) ^ (set(frame.columns) - set(self.names)))):
                raise DataError(f"X has not the columns of the portfolio ({', '.join(odd)}); give the same ones")
            return frame[rest]
        if X.ndim != 2 or X.shape[1] not in (len(self.columns), len(rest)):
            told = f"expected {len(self.columns)} columns, or {len(rest)} without the attributes"
            raise DataError(f"X has shape {tuple(X.shape)}; {told}")
        return X if X.shape[1] == len(rest) else X[:, rest]

    def _placed(self, rows: Any, values: Mapping[Any, Any]) -> Any:
        if self.is_frame:
            held = {name: pd.Series(values[name], rows.index, dtype=self.dtypes[name]) for name in self.names}
            return pd.concat([rows, pd.DataFrame(held)], axis=1)[list(self.columns)]
        rest = [name for name in self.columns if name not in self.names]
        found = rows.new_empty(len(rows), len(self.columns)) if isinstance(rows, Tensor) else _empty(rows, self.columns)
        found[:, rest] = rows
        for name, value in values.items():
            found[:, name] = value
        return found


def attributes_of(X: Any, attributes: Any, exposure: NDArray[np.float64], values: Any) -> Attributes:
    """The attributes of these rows, with the shares of the combinations that occur.

    Args:
        attributes: names of columns of a frame, places of columns of an array, or one of them.
        values: of attributes that are numbers: the values to average over; each stands for the rows nearest to it.

    Raises:
        DataError: a column that is not there, one that holds a single value, or more combinations than are averaged.
    """
    is_frame = hasattr(X, "columns")
    rows = as_frame(X) if is_frame else X
    columns = tuple(rows.columns) if is_frame else tuple(range(rows.shape[1]))
    names = _names(attributes, columns)
    if not isinstance(values, Mapping):
        raise DataError(f"values is {values!r}; expected {{attribute: its values}}")
    if odd := [name for name in values if name not in names]:
        raise DataError(f"values names {odd[0]!r}; expected attributes: {', '.join(map(str, names))}")
    held = {name: rows[name] if is_frame else pd.Series(_column(rows, name)) for name in names}
    shown = {name: _representative(name, column, exposure, values.get(name)) for name, column in held.items()}
    table = pd.DataFrame({name: column.to_numpy() for name, column in shown.items()})
    num_unknown = int(table.isna().any(axis=1).sum())
    sums = table.assign(share=exposure).dropna().groupby(list(names), observed=True, sort=True)["share"].sum()
    shares = (sums / sums.sum()).reset_index()
    _require_several(shares, names)
    return Attributes(names, columns, {n: c.dtype for n, c in shown.items()}, shares, num_unknown, is_frame)


def _names(attributes: Any, columns: Sequence[Any]) -> tuple[Any, ...]:
    several = isinstance(attributes, list | tuple | pd.Index) or getattr(attributes, "ndim", 0) == 1
    names = tuple(attributes) if several else (attributes,)
    # Compared, not looked up: what is given may be no key.
    places = [[place for place, column in enumerate(columns) if _is(name, column)] for name in names]
    if not names or not all(places) or len({place[0] for place in places}) < len(names):
        known = ", ".join(map(str, columns[:30]))
        raise DataError(f"attributes is {attributes!r}; expected columns of X as a list, each once: {known}")
    return tuple(columns[place[0]] for place in places)


def _is(name: Any, column: Any) -> bool:
    return isinstance(name, Hashable) and not isinstance(name, np.ndarray) and bool(name == column)


def _empty(rows: NDArray[Any], columns: Sequence[Any]) -> NDArray[Any]:
    return np.empty((len(rows), len(columns)), dtype=rows.dtype)


def _column(rows: Any, place: int) -> NDArray[Any]:
    column = rows[:, place]
    found: NDArray[Any] = column.numpy(force=True) if isinstance(column, Tensor) else np.asarray(column)
    return found


def _representative(
    name: Any, column: "pd.Series[Any]", exposure: NDArray[np.float64], values: Any
) -> "pd.Series[Any]":
    """The column, or for a number with many values that which each row's value is averaged as."""
    is_number = is_numeric_dtype(column.dtype) and not is_bool_dtype(column.dtype)
    if values is not None:
        if not is_number:
            raise DataError(
                f"values of {name!r} are given, whose cells are {column.dtype}; expected a column of numbers"
            )
        points = np.unique(numbers_of(f"values of {name!r}", values))
        cells = column.to_numpy(np.float64, na_value=np.nan)
        nearest = points[np.abs(cells[:, None] - points).argmin(axis=1)]
        return pd.Series(np.where(np.isnan(cells), np.nan, nearest))
    if not is_number or column.nunique() <= PARTS:
        return column
    cells = column.to_numpy(np.float64, na_value=np.nan)
    found, known = np.full(len(cells), np.nan), ~np.isnan(cells)
    place = np.unique(cells[known], return_inverse=True)[1]
    weight = np.bincount(place, weights=exposure[known])
    part = np.minimum((PARTS * (weight.cumsum() - weight / 2) / weight.sum()).astype(int), PARTS - 1)[place]
    sums = np.bincount(part, weights=exposure[known], minlength=PARTS)
    totals = np.bincount(part, weights=exposure[known] * cells[known], minlength=PARTS)
    found[known] = totals[part] / sums[part]
    return pd.Series(found)


def _require_several(shares: pd.DataFrame, names: Sequence[Any]) -> None:
    if len(shares) > MOST_COMBINATIONS:
        told = f"expected at most {MOST_COMBINATIONS}: give fewer attributes, or values={{…}} of those that are numbers"
        raise DataError(f"the attributes take {len(shares):,} values together; {told}")
    for name in names:
        if shares[name].nunique() < 2:
            given = plural(len(shares), "known value")
            raise DataError(f"attribute {name!r} has {given}; expected at least two, between which a price differs")


def portfolio_rows(X: Any) -> Any:
    """The rows as a frame, an array or a tensor of two axes; the inputs of a data set.

    Raises:
        DataError: another shape.
    """
    if isinstance(X, TensorData):
        return X.x
    if hasattr(X, "columns"):
        return as_frame(X)
    found = X if isinstance(X, torch.Tensor) else np.asarray(X)
    if found.ndim != 2:
        raise DataError(f"X has shape {tuple(found.shape)}; expected rows and columns")
    return found
