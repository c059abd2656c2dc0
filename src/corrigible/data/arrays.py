"""Arrays, frames and lists of rows as tensors of numbers."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from corrigible.errors import DataError
from corrigible.tensors import unfit
from corrigible.types import Columns


def frame_columns(frame: pd.DataFrame) -> Columns:
    """The frame's columns, each a feature of its own."""
    names = tuple(map(str, frame.columns))
    return Columns(names, names, (False,) * len(names))


def numbers(values: Any, name: str) -> Tensor:
    """The values as a tensor.

    Raises:
        DataError: values that are not numbers.
    """
    if isinstance(values, Tensor):
        require_dense(values, name)
        return values
    array = np.array(_array(values), order="C")
    if array.dtype.kind not in "fiub":
        raise DataError(f"{name} holds {array.dtype} values; expected numbers: encode text and categories first")
    return torch.from_numpy(array)


def require_dense(values: Tensor, name: str) -> None:
    """Raises DataError for a tensor that is sparse, quantised, complex or without values."""
    problem = unfit(values)
    if problem:
        raise DataError(f"{name} is {problem}")


def _array(values: Any) -> Any:
    if not isinstance(values, pd.DataFrame | pd.Series):
        return values
    dtypes = values.dtypes if isinstance(values, pd.DataFrame) else [values.dtype]
    # Without a dtype, pandas makes Python objects of missing values and of booleans next to numbers.
    is_numeric = all(dtype.kind in "fiub" for dtype in dtypes)
    return values.to_numpy(np.float64, na_value=np.nan) if is_numeric else values.to_numpy()


def given_rows(dataset: Any, rows: list[int]) -> list[Any]:
    """These rows as the data set gives them: together, if it has ``__getitems__`` as data sets of PyTorch may have."""
    together = getattr(dataset, "__getitems__", None)
    return [dataset[row] for row in rows] if together is None else list(together(rows))


def stacked(inputs: list[Any]) -> Tensor:
    """The inputs of several rows as one tensor.

    Raises:
        DataError: inputs of different shapes, or not numbers.
    """
    try:
        return torch.stack([torch.as_tensor(x) for x in inputs])
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"inputs cannot be joined ({error}); expected numbers of one shape in every row") from error


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
