"""Columns of a table as classes, labels and weights; what does not fit is refused in one line."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from corrigible.data.cells import Cells, Words
from corrigible.data.table_roles import require_once
from corrigible.errors import DataError

LARGEST = float(np.finfo(np.float32).max)


def require_finite(name: str, numbers: NDArray[np.float64], first_row: int = 0) -> NDArray[np.float64]:
    """The numbers, none of which is infinite or beyond the range of float32.

    Raises:
        DataError: there is such a number.
    """
    refuse(name, numbers, np.abs(numbers) > LARGEST, f"a finite number up to {LARGEST:.1e}", first_row)
    return numbers


def row_weights(name: str, numbers: NDArray[np.float64]) -> NDArray[np.float32]:
    """The weight of each row, at least 0."""
    is_bad = ~(numbers >= 0) | np.isinf(numbers)
    refuse(name, numbers, is_bad, "numbers of at least 0 that say how much each row counts")
    return numbers.astype(np.float32)


def label_numbers(name: str, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """The labels of a task of numbers.

    Raises:
        DataError: a row without a number.
    """
    refuse(name, numbers, np.isnan(numbers), "a number in every row: drop rows without a label")
    return require_finite(name, numbers)


def exposures(name: str, numbers: NDArray[np.float64]) -> NDArray[np.float32]:
    """The exposure of each row.

    Raises:
        DataError: a row without one, or one that is not above 0.
    """
    expected = "an exposure above 0 in every row, such as the share of a year: drop rows without one"
    refuse(name, numbers, ~(numbers > 0), expected)
    return require_finite(name, numbers).astype(np.float32)


def queries(name: str, cells: Cells) -> Int[Tensor, " row"]:
    """A number for each row that is the same for rows of the same query.

    Raises:
        DataError: a row without a query.
    """
    is_empty = cells.codes < 0 if isinstance(cells, Words) else np.isnan(cells)
    refuse(name, cells, is_empty, "the query of every row: drop rows without one")
    found = cells.codes if isinstance(cells, Words) else cells
    return torch.from_numpy(pd.factorize(found)[0].astype(np.int64))


def require_whole(name: str, cells: Cells) -> None:
    """Raises DataError for classes or groups that are numbers with decimals."""
    if not isinstance(cells, Words):
        is_bad = ~np.isnan(cells) & (cells != np.round(cells))
        expected = "whole numbers or text for classes and groups; if these are amounts, name the task: in a recipe "
        refuse(name, cells, is_bad, expected + "[task] with name = 'amounts', in Python task='amounts'")


def require_classes(name: str, cells: Cells) -> None:
    """Raises DataError for a row without a class, or classes that are numbers with decimals."""
    is_empty = cells.codes < 0 if isinstance(cells, Words) else np.isnan(cells)
    refuse(name, cells, is_empty, "a class in every row: drop rows without one")
    require_whole(name, cells)


def refuse(name: str, cells: Cells, is_bad: NDArray[np.bool_], expected: str, first_row: int = 0) -> None:
    """Raises DataError that names the first bad cell, if there is one."""
    if is_bad.any():
        row = int(is_bad.argmax())
        found = f"column {name!r} holds {_shown(cells, row)} in row {first_row + row}"
        raise DataError(f"{found} ({int(is_bad.sum()):,} such rows); expected {expected}")


def codes_of(texts: list[str], names: tuple[str, ...], column: str) -> Int[Tensor, " row"]:
    """The position of each text among the names.

    Raises:
        DataError: a text that is not among them.
    """
    unknown = sorted(set(texts) - set(names))
    if unknown:
        raise not_known(column, unknown[0], names)
    numbers = {name: number for number, name in enumerate(names)}
    return torch.tensor([numbers[text] for text in texts])


def not_known(column: str, text: str, names: Sequence[str]) -> DataError:
    """The error about a class or group that the training table lacks."""
    known = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    return DataError(f"column {column!r} holds {text!r}, which the training table lacks; it has {known}")


def named(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with texts as names of its columns.

    Raises:
        DataError: two columns of the same name.
    """
    frame = frame.rename(columns=str)
    require_once(list(frame.columns))
    return frame


def _shown(cells: Cells, row: int) -> str:
    if isinstance(cells, Words):
        return repr(cells.texts[cells.codes[row]]) if cells.codes[row] >= 0 else "no value"
    return "no value" if np.isnan(cells[row]) else f"'{cells[row]:g}'"
