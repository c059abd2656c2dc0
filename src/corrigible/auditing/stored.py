"""Numbers in the form in which a column stores its own: whole numbers as such, days as dates."""

from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype, is_integer_dtype

from corrigible.auditing.columns import Numbers


def stored(values: Numbers, held: "pd.Series[Any]") -> "pd.Series[Any]":
    """The numbers, NaN for empty cells, as a column like this one.

    Args:
        values: one for each row of ``held``, as `column_of` reads them: of dates days since 1970.
    """
    if is_dates(held):
        return _dates(values, held)
    found = pd.Series(values, index=held.index)
    is_whole = bool((np.isfinite(values) & (values == np.round(values))).all())
    fits = is_whole and (not is_integer_dtype(held.dtype) or _fits(values, held))
    return found.astype(held.dtype) if fits else found


def is_dates(held: "pd.Series[Any]") -> bool:
    """Whether the column holds dates."""
    return is_datetime64_any_dtype(held.dtype)


def in_words(value: Any) -> str:
    """A cell in words: a number with four digits, a date without the time at midnight."""
    if isinstance(value, pd.Timestamp):
        return str(value.date()) if value == value.normalize() else str(value)
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def _dates(days: Numbers, held: "pd.Series[Any]") -> "pd.Series[Any]":
    """Days since 1970 as dates to a microsecond, which a number of days is exact to; midnights where all dates are."""
    found = pd.Series(pd.to_timedelta(days, unit="D").round("us"), index=held.index) + pd.Timestamp(0, tz=held.dt.tz)
    if bool((held.dropna() == held.dropna().dt.normalize()).all()):
        found = (found + pd.Timedelta(hours=12)).dt.normalize()
    return found.astype(held.dtype)


def _fits(values: Numbers, held: "pd.Series[Any]") -> bool:
    info = np.iinfo(getattr(held.dtype, "numpy_dtype", held.dtype))
    return bool((values >= info.min).all() and (values <= info.max).all())
