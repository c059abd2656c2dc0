"""The cells of one column, as numbers or as texts."""

import decimal
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import infer_dtype, is_bool_dtype, is_complex_dtype, is_numeric_dtype

from corrigible.errors import DataError

OF_NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal")
OF_TEXTS = ("string", "boolean", "empty", "categorical")


class Words(NamedTuple):
    """Texts, each kept once."""

    codes: NDArray[np.int32]
    """The place of each row's text among ``texts``; -1 where the cell is empty."""
    texts: Sequence[str]

    @property
    def counts(self) -> NDArray[np.int64]:
        """How often each text occurs."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.texts))


Cells = NDArray[np.float64] | Words
"""Numbers, NaN where they are unknown; or texts."""
Blocks = list[dict[str, Cells]]
"""The cells of a table by the name of their column, for one part of the rows after another; parts share their texts."""


def cells_of(values: "pd.Series[Any]") -> Cells:
    """The cells of a frame's column: numbers as numbers, everything else as text.

    Raises:
        DataError: dates, objects, or values of several types.
    """
    if is_complex_dtype(values.dtype):
        raise _refused(values, f"{values.dtype} values")
    if is_bool_dtype(values.dtype):
        return words_of(values)
    if is_numeric_dtype(values.dtype):
        return _numbers(values)
    if isinstance(values.dtype, pd.CategoricalDtype) or values.dtype.type is str:  # Also PyArrow's, in pandas.
        return words_of(values)
    if values.dtype != object:
        raise _refused(values, f"{values.dtype} values")
    kind = infer_dtype(values, skipna=True)
    if kind in OF_NUMBERS:
        return _numbers(values)
    if kind not in OF_TEXTS:
        types = sorted({type(value).__name__ for value in values[values.notna()]})
        raise _refused(values, f"values of the {'type' if len(types) == 1 else 'types'} {', '.join(types)}")
    return words_of(values)


def words_of(values: "pd.Series[Any]") -> Words:
    """The cells as texts without spaces around them; whole numbers have no point, however they are stored."""
    codes, found = pd.factorize(values.astype(object))
    return merged(codes.astype(np.int32), [written(value) for value in found])


def merged(codes: NDArray[np.int32], texts: Sequence[str]) -> Words:
    """Texts of which several are the same but for spaces around them, each kept once; an empty text is no text."""
    places: dict[str, int] = {}
    stripped = [text.strip() for text in texts]
    moved = np.array([places.setdefault(text, len(places)) if text else -1 for text in stripped] + [-1], np.int32)
    return Words(moved[codes], list(places))


def written(value: Any) -> str:
    """The value as text; a whole number has no point."""
    is_whole = isinstance(value, float | np.floating) and float(value).is_integer()
    return str(int(value)) if is_whole else str(value)


def num_rows(cells: Cells) -> int:
    """The number of cells."""
    return len(cells.codes) if isinstance(cells, Words) else len(cells)


def column(blocks: Blocks, name: str) -> Cells:
    """All cells of a column, one part of the rows after another."""
    parts = [block[name] for block in blocks]
    if len(parts) == 1:
        return parts[0]
    words = [part for part in parts if isinstance(part, Words)]
    if not words:
        return np.concatenate([part for part in parts if not isinstance(part, Words)])
    return Words(np.concatenate([part.codes for part in words]), words[0].texts)


def put_back(blocks: Blocks, name: str, cells: Cells) -> None:
    """Replace the cells of a column."""
    start = 0
    for block in blocks:
        rows = num_rows(block[name])
        part = slice(start, start + rows)
        block[name] = Words(cells.codes[part], cells.texts) if isinstance(cells, Words) else cells[part]
        start += rows


def _numbers(values: "pd.Series[Any]") -> NDArray[np.float64]:
    if values.dtype == object:
        values = values.map(lambda value: float(value) if isinstance(value, decimal.Decimal) else value)
        values = pd.to_numeric(values)
    numbers: NDArray[np.float64] = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers


def _refused(values: "pd.Series[Any]", found: str) -> DataError:
    return DataError(f"column {values.name!r} holds {found}; expected numbers or text: convert or drop it")
