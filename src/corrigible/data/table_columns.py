"""Columns of data frames as numbers, texts and classes; what does not fit is refused in one line."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_complex_dtype, is_numeric_dtype
from torch import Tensor

from corrigible.errors import DataError

MISSING = "missing"
"""The name of a missing category; a cell with this text also counts as missing."""


def is_categorical(values: "pd.Series[Any]") -> bool:
    """Whether the column holds categories rather than numbers.

    Raises:
        DataError: it holds neither.
    """
    if is_bool_dtype(values.dtype) or isinstance(values.dtype, pd.CategoricalDtype | pd.StringDtype):
        return True
    if (not is_numeric_dtype(values.dtype) and values.dtype != object) or is_complex_dtype(values.dtype):
        raise DataError(
            f"column {values.name!r} holds {values.dtype} values; expected numbers or text: convert or drop it"
        )
    return bool(values.dtype == object)


def numbers_of(values: "pd.Series[Any]") -> NDArray[np.float64]:
    """The column as float64, NaN where missing."""
    known = values if is_numeric_dtype(values.dtype) else pd.to_numeric(values.astype(object), errors="coerce")
    numbers: NDArray[np.float64] = known.to_numpy(dtype=np.float64, na_value=np.nan)
    _refuse(values, np.isnan(numbers) & ~values.isna().to_numpy(), "a number")
    _refuse(values, np.isinf(numbers), "a finite number")
    return numbers


def row_weights(values: "pd.Series[Any]") -> NDArray[np.float32]:
    """The weight of each row, at least 0."""
    found = numbers_of(values)
    _refuse(values, ~(found >= 0) | np.isinf(found), "numbers of at least 0 that say how much each row counts")
    return found.astype(np.float32)


def _refuse(values: "pd.Series[Any]", is_bad: NDArray[np.bool_], expected: str) -> None:
    if is_bad.any():
        row = int(is_bad.argmax())
        found = f"column {values.name!r} holds {str(values.iloc[row])!r} in row {row}"
        raise DataError(f"{found} ({int(is_bad.sum())} such rows); expected {expected}")


def text_of(values: "pd.Series[Any]") -> list[str]:
    """Each value as text; a whole number is written without a point, however it is stored."""
    return [MISSING if is_missing else _text(value) for value, is_missing in zip(values, values.isna(), strict=True)]


def _text(value: Any) -> str:
    is_whole = isinstance(value, float | np.floating) and float(value).is_integer()
    return str(int(value)) if is_whole else str(value)


def texts_of(frame: pd.DataFrame, name: str) -> list[str]:
    """The values of a column of classes or groups, as text."""
    values = column_of(frame, name)
    if not is_categorical(values):
        numbers = numbers_of(values)
        _refuse(
            values, ~np.isnan(numbers) & (numbers != np.round(numbers)), "whole numbers or text for classes and groups"
        )
    return text_of(values)


def classes_of(frame: pd.DataFrame, target: str) -> list[str]:
    """The class of each row, as text.

    Raises:
        DataError: a row without one, or numbers that are not whole.
    """
    values = column_of(frame, target)
    _refuse(values, values.isna().to_numpy(), "a class in every row: drop rows without one")
    return texts_of(frame, target)


def label_numbers(frame: pd.DataFrame, targets: Sequence[str]) -> NDArray[np.float64]:
    """The numbers in these columns, (row, column).

    Raises:
        DataError: a row without a number.
    """
    found = []
    for name in targets:
        values = column_of(frame, name)
        numbers = numbers_of(values)
        _refuse(values, np.isnan(numbers), "a number in every row: drop rows without a label")
        found.append(numbers)
    return np.stack(found, axis=1)


def exposures(values: "pd.Series[Any]") -> NDArray[np.float32]:
    """The exposure of each row.

    Raises:
        DataError: a row without one, or one that is not above 0.
    """
    found = numbers_of(values)
    _refuse(
        values, ~(found > 0), "an exposure above 0 in every row, such as the share of a year: drop rows without one"
    )
    return found.astype(np.float32)


def queries(values: "pd.Series[Any]") -> Int[Tensor, " row"]:
    """A number for each row that is the same for rows of the same query.

    Raises:
        DataError: a row without a query.
    """
    _refuse(values, values.isna().to_numpy(), "the query of every row: drop rows without one")
    return torch.from_numpy(pd.factorize(np.array(text_of(values), dtype=object))[0].astype(np.int64))


def codes_of(texts: list[str], names: tuple[str, ...], column: str) -> Int[Tensor, " row"]:
    """The position of each text among the names.

    Raises:
        DataError: a text that is not among them.
    """
    unknown = sorted(set(texts) - set(names))
    if unknown:
        known = ", ".join(names)
        raise DataError(f"column {column!r} holds {unknown[0]!r}, which the training table lacks; it has {known}")
    numbers = {name: number for number, name in enumerate(names)}
    return torch.tensor([numbers[text] for text in texts])


def in_order(texts: list[str]) -> tuple[str, ...]:
    """The different texts, sorted: as numbers if all but the missing ones are whole numbers, else as text."""
    found = set(texts)
    if all(text.removeprefix("-").isdecimal() for text in found - {MISSING}):
        return tuple(sorted(found, key=lambda text: (text == MISSING, 0 if text == MISSING else int(text), text)))
    return tuple(sorted(found))


def named(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with texts as names of its columns.

    Raises:
        DataError: two columns of the same name.
    """
    frame = frame.rename(columns=str)
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise DataError(f"column {repeated[0]!r} occurs more than once; expected different names")
    return frame


def column_of(frame: pd.DataFrame, name: str) -> "pd.Series[Any]":
    """The column of that name.

    Raises:
        DataError: there is none.
    """
    if name not in frame.columns:
        raise DataError(f"the table has no column {name!r}; it has {', '.join(frame.columns)}")
    return frame[name]
