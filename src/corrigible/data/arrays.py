"""Arrays, frames and lists of rows as tensors of numbers."""

import reprlib
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from corrigible.data.frames import as_frame
from corrigible.errors import DataError
from corrigible.tensors import unfit
from corrigible.types import Columns

PLAIN_OBJECTS = ("boolean", "integer", "floating", "mixed-integer-float", "empty")
"""Columns of Python objects that hold numbers beside missing values, as pandas calls them."""


def frame_of(values: Any) -> pd.DataFrame | None:
    """A data frame of any package as one of pandas; None if it is none."""
    if isinstance(values, pd.DataFrame):
        return values
    is_frame = hasattr(values, "__dataframe__") or hasattr(values, "to_native")
    return as_frame(values) if is_frame else None


def index_of(values: Any) -> "pd.Index[Any] | None":
    """The index of a frame of any package, as pandas has it; None for anything else."""
    frame = frame_of(values)
    return None if frame is None else frame.index


def columns_in(values: Any) -> Columns | None:
    """The frame's columns, each a feature of its own; None for anything else.

    Raises:
        DataError: two columns of the same name.
    """
    frame = frame_of(values)
    if frame is None:
        return None
    names = tuple(map(str, frame.columns))
    twice = [name for name in names if names.count(name) > 1] if len(set(names)) < len(names) else []
    if twice:
        raise DataError(f"x has {names.count(twice[0])} columns {twice[0]!r}; expected names that differ: rename one")
    return Columns(names, names, (False,) * len(names))


def inputs(values: Any) -> Tensor:
    """The inputs of rows as a tensor of real numbers, in the type in which they are given.

    Raises:
        DataError: values that are not numbers, or pictures of bytes.
    """
    found = numbers(values, "x")
    require_scaled(found)
    return found


def require_scaled(x: Tensor) -> None:
    """Raises DataError for pictures in whole numbers, whose unit a network does not know."""
    is_picture = x.ndim > 2 if x.dtype == torch.uint8 else x.ndim == 4 and not x.is_floating_point()
    if is_picture and not x.is_complex() and x.dtype != torch.bool and x.numel() and int(x.max()) > 1:
        raise DataError(
            f"x holds {str(x.dtype).removeprefix('torch.')} from {int(x.min())} to {int(x.max())} in the shape "
            f"{tuple(x.shape)}; expected floats in the unit that the network was trained on: x / 255 for 0 to 1, as "
            "image files are read, or x as float32"
        )


def numbers(values: Any, name: str) -> Tensor:
    """The values as a tensor of real numbers.

    Raises:
        DataError: values that are not numbers; for a frame the message names the column.
    """
    if not isinstance(values, Tensor):
        if hasattr(values, "toarray"):
            raise DataError(f"{name} is a sparse {type(values).__name__}; expected a dense array: {name}.toarray()")
        frame = frame_of(values)
        if frame is not None:
            values = _numbers_of_frame(frame, name)
        elif isinstance(values, pd.Series):
            values = _numbers_of_column(values, name)
        try:
            array = np.array(values, order="C")
        except (TypeError, ValueError) as error:
            hint = "; of data with labels, pass the rows alone, such as data.x" if name == "x" else ""
            raise DataError(
                f"{name} is a {type(values).__name__} whose rows differ in shape; expected an array, (batch, …){hint}"
            ) from error
        if array.dtype.kind not in "fiub":
            hint = (
                "pandas.factorize(y)[0] numbers classes from 0" if name == "y" else "encode text and categories first"
            )
            raise DataError(f"{name} holds {array.dtype} values; expected numbers: {hint}")
        values = torch.from_numpy(array)
    found: Tensor = values
    require_dense(found, name)
    return found


def require_dense(values: Tensor, name: str) -> None:
    """Raises DataError for a tensor that is sparse, quantised, complex or without values."""
    problem = unfit(values)
    if problem:
        raise DataError(f"{name} is {problem}")


def _numbers_of_frame(frame: pd.DataFrame, name: str) -> Any:
    if all(isinstance(dtype, np.dtype) and dtype.kind in "fiub" for dtype in frame.dtypes):
        return frame.to_numpy(np.float64) if len(set(frame.dtypes)) > 1 else frame.to_numpy()
    found = [_numbers_of_column(frame.iloc[:, place], name) for place in range(frame.shape[1])]
    return np.stack(found, axis=1) if found else np.zeros((len(frame), 0))


def _numbers_of_column(column: "pd.Series[Any]", name: str) -> Any:
    """The column's numbers, NaN where one is missing; True is 1."""
    if column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) in PLAIN_OBJECTS:
        column = pd.Series([np.nan if pd.isna(value) else float(value) for value in column], name=column.name)
    if getattr(column.dtype, "kind", "O") not in "fiub" or isinstance(column.dtype, pd.CategoricalDtype):
        raise DataError(
            f"column {str(column.name)!r} of {name} holds {column.dtype} values, such as {_first(column)}; expected "
            "numbers: encode text and categories first, or leave the column out"
        )
    return column.to_numpy(np.float64, na_value=np.nan)


def _first(column: "pd.Series[Any]") -> str:
    known = column.dropna()
    return reprlib.repr(known.iloc[0]) if len(known) else "none"


def given_rows(dataset: Any, rows: list[int]) -> list[Any]:
    """These rows as the data set gives them: together, if it has ``__getitems__`` as data sets of PyTorch may have."""
    together = getattr(dataset, "__getitems__", None)
    return [dataset[row] for row in rows] if together is None else list(together(rows))


def stacked(inputs: list[Any]) -> Tensor:
    """The inputs of several rows as one tensor.

    Raises:
        DataError: inputs of different shapes, not numbers, or pictures of bytes.
    """
    try:
        rows = [torch.as_tensor(x) for x in inputs]
        whole = rows[0]._base if rows else None
        found = whole if whole is not None and _are_rows_of(whole, rows) else torch.stack(rows)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"inputs cannot be joined ({error}); expected numbers of one shape in every row") from error
    require_scaled(found)
    return found


def _are_rows_of(whole: Tensor, rows: list[Tensor]) -> bool:
    """Whether these are all the rows of the tensor, in order, so that nothing needs to be copied."""
    return len(rows) == len(whole) and all(
        row._base is whole and row.shape == whole.shape[1:] and row.data_ptr() == expected.data_ptr()
        for row, expected in zip(rows, whole, strict=True)
    )


def whole_numbers_of(values: list[Any], name: str, index: Tensor) -> Tensor:
    """One whole number per row, from rows given one by one.

    Raises:
        DataError: a value is not a whole number; the message names its row.
    """
    found = []
    for row, value in zip(index.tolist(), values, strict=True):
        try:
            number = int(value)
            is_whole = bool(number == value)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            is_whole = False
        if not is_whole:
            raise DataError(f"{name} of row {row} is {value!r}; expected a whole number")
        found.append(number)
    return torch.tensor(found, dtype=torch.long)


def whole_numbers(values: Any, name: str) -> Tensor:
    """One whole number per row.

    Raises:
        DataError: another shape, or a value that is not whole.
    """
    given = numbers(values, name)
    if given.ndim != 1:
        raise DataError(f"{name} has shape {tuple(given.shape)}; expected one whole number per row")
    found = given.long()
    is_whole = found == given
    if not bool(is_whole.all()):
        raise DataError(f"{name} holds {given[~is_whole][0]:g}; expected one whole number per row")
    return found
