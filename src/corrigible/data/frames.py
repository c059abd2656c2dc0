"""Data frames of other libraries as pandas frames."""

from typing import Any

import pandas as pd

from corrigible.errors import DataError


def as_frame(given: Any) -> pd.DataFrame:
    """The frame as one of pandas: of Polars, PyArrow, Modin and whatever else narwhals knows, column by column.

    Raises:
        DataError: it is no data frame, or one that is not computed yet.
    """
    if isinstance(given, pd.DataFrame):
        return given
    import narwhals.stable.v1 as nw  # Late: whoever has pandas or arrays needs it not.

    try:
        frame = nw.from_native(given, eager_only=True)
    except TypeError as error:
        raise DataError(
            f"a {type(given).__name__} is given; expected a data frame that is in memory, of pandas, Polars or PyArrow"
        ) from error
    names = frame.columns
    columns = [_as_series(frame.get_column(name)) for name in names]
    found = pd.concat(columns, axis=1) if columns else pd.DataFrame()
    found.columns = pd.Index(names)
    return found


def _as_series(column: Any) -> "pd.Series[Any]":
    """The column with its gaps: numbers stay numbers, dates stay dates, everything else becomes Python objects."""
    import narwhals.stable.v1 as nw

    if column.dtype.is_numeric() and column.dtype != nw.Decimal:
        dtype = "Int64" if "Int" in str(column.dtype) else "Float64"
        if not column.is_null().any():
            return pd.Series(column.to_numpy())
        return pd.Series(pd.array(column.to_list(), dtype=dtype))
    return pd.Series(column.to_list(), dtype=object)
