"""Data frames of other libraries as pandas frames, and back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

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


@dataclass(frozen=True)
class FrameForm:
    """The library of a user's frame, and the types of its columns."""

    library: Any = None
    """As narwhals calls it; None for pandas."""
    types: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, frame: Any) -> Any:
        """The pandas frame in this form: columns that were no numbers get their type again, numbers stay as they are.

        Without a library whatever is given comes back.
        """
        if self.library is None:
            return frame
        import narwhals.stable.v1 as nw

        columns = {name: _cells(frame[name]) for name in frame.columns}
        found = nw.from_dict(columns, backend=self.library)
        typed = [
            nw.col(name).cast(kind)
            for name, kind in self.types.items()
            if name in columns and (not kind.is_numeric() or bool(frame[name].isna().all()))
        ]
        return found.with_columns(typed).to_native()


def form_of(given: Any) -> FrameForm:
    """The form of a frame, in which others may be asked for."""
    if isinstance(given, pd.DataFrame):
        return FrameForm()
    import narwhals.stable.v1 as nw

    frame = nw.from_native(given, eager_only=True)
    return FrameForm(frame.implementation, dict(frame.schema))


def _cells(column: "pd.Series[Any]") -> Any:
    """The cells with None for empty ones."""
    if is_numeric_dtype(column.dtype) and not column.isna().any():
        return column.to_numpy()
    return column.astype(object).where(column.notna(), None).tolist()
