"""What people give to be audited, checked: rows as a frame, labels, attributes, exposure, and names of columns."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_object_dtype

from corrigible.auditing.columns import Column, column_of
from corrigible.auditing.outcomes import as_classes
from corrigible.data.causes import checked_causes
from corrigible.data.frames import as_frame, form_of
from corrigible.errors import DataError, RecipeError, unknown

LEAST_ROWS = 20
NO_NAME = "group"
"""An attribute that has no name of its own."""


@dataclass(frozen=True)
class Given:
    """Rows to audit a model on."""

    frame: pd.DataFrame
    """What the model sees; the index counts from 0."""
    row_names: tuple[str, ...]
    y: "pd.Series[Any]"
    sensitive: Mapping[str, Column]
    beside: pd.DataFrame
    """The attributes as they were given, whether or not the model sees them."""
    exposure: NDArray[np.float64] | None
    forbidden: tuple[str, ...]
    causes: Mapping[str, tuple[str, ...]]
    directions: Mapping[str, int]
    to_given: Callable[[pd.DataFrame], Any]
    """A frame in the form of the rows that were given."""


def given(
    X: Any, y: Any, *, sensitive_features: Any, exposure: Any, forbidden: Any, causes: Any, directions: Any
) -> Given:
    """The rows, checked.

    Raises:
        DataError: no frame, too few rows, another number of labels, an attribute without a value, an exposure that
            is not above 0.
        RecipeError: an unknown column, or a graph of causes with a circle.
    """
    frame, to_given = _frame(X)
    row_names = tuple(map(str, frame.index))
    frame = frame.reset_index(drop=True)
    labels = _one_per_row("y", y, len(frame))
    if labels.isna().any():
        raise DataError(f"y is empty in row {int(labels.isna().argmax())}; expected a label for each row")
    attributes = _attributes(sensitive_features, frame)
    names = tuple(map(str, frame.columns))
    return Given(
        frame,
        row_names,
        labels,
        {name: as_classes(attributes[name], name) for name in attributes.columns},
        attributes,
        _exposure(exposure, len(frame)),
        _columns("forbidden", forbidden, (*names, *attributes.columns)),
        checked_causes(causes, tuple(dict.fromkeys((*names, *attributes.columns)))) if causes else {},
        _directions(directions, names),
        to_given,
    )


def _frame(X: Any) -> tuple[pd.DataFrame, Callable[[pd.DataFrame], Any]]:
    if not hasattr(X, "columns"):
        array = np.asarray(X)
        if array.ndim != 2:
            raise DataError(
                f"X is a {type(X).__name__} of shape {array.shape}; expected a data frame, or rows of numbers"
            )
        frame = pd.DataFrame(array, columns=[f"x{place}" for place in range(array.shape[1])])
        return _enough(frame), lambda rows: rows.to_numpy(copy=True)  # Else it cannot be written into.
    frame = as_frame(X)
    if frame.columns.duplicated().any() or not all(isinstance(name, str) for name in frame.columns):
        raise DataError("the columns of X have no names of their own; expected different names in words")
    return _enough(frame), form_of(X)


def _enough(frame: pd.DataFrame) -> pd.DataFrame:
    if len(frame) < LEAST_ROWS or not len(frame.columns):
        raise DataError(
            f"X has {len(frame)} rows and {len(frame.columns)} columns; expected at least {LEAST_ROWS} rows"
        )
    for name in (name for name in frame.columns if is_object_dtype(frame[name].dtype)):
        for kind in {type(cell) for cell in frame[name]}:
            if kind.__hash__ is None:
                raise DataError(f"column {name!r} of X holds a {kind.__name__}; expected numbers, words or dates")
    return frame


def _one_per_row(what: str, values: Any, num_rows: int) -> "pd.Series[Any]":
    found = values.reset_index(drop=True) if isinstance(values, pd.Series) else None
    if found is None:
        array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
        if array.ndim != 1:
            raise DataError(f"{what} has shape {array.shape}; expected one value per row")
        found = pd.Series(array)
    if len(found) != num_rows:
        raise DataError(f"{what} has {len(found):,} values, X {num_rows:,} rows; expected one value per row")
    return found


def _attributes(sensitive_features: Any, frame: pd.DataFrame) -> pd.DataFrame:
    """Each attribute as a column: of a frame, one by itself, or the name of a column of X."""
    if sensitive_features is None:
        return pd.DataFrame(index=frame.index)
    if isinstance(sensitive_features, str):
        sensitive_features = frame[list(_columns("sensitive_features", sensitive_features, tuple(frame.columns)))]
    if hasattr(sensitive_features, "columns"):
        found = as_frame(sensitive_features).reset_index(drop=True)
        found.columns = found.columns.map(str)
    else:
        name = getattr(sensitive_features, "name", None)
        values = _one_per_row("sensitive_features", sensitive_features, len(frame))
        if name is None and NO_NAME in frame:
            raise DataError(
                f"sensitive_features has no name, and X has a column {NO_NAME!r}; expected a Series with another name"
            )
        found = values.to_frame(str(name) if name is not None else NO_NAME)
    if len(found) != len(frame):
        raise DataError(f"sensitive_features has {len(found):,} rows, X {len(frame):,}; expected one per row")
    if found.columns.duplicated().any():
        name = found.columns[found.columns.duplicated()][0]
        raise DataError(f"sensitive_features has two columns {name!r}; expected different names")
    for name in found.columns:
        _require_same(name, found[name], frame)
        if found[name].nunique() < 2:
            raise DataError(f"the attribute {name!r} holds one value; expected rows of at least two groups")
    return found


def _require_same(name: str, attribute: "pd.Series[Any]", frame: pd.DataFrame) -> None:
    """Raises DataError for an attribute that a column of X has the name of, but does not decide.

    A column that decides it is the attribute in other words, such as an age by its years.
    """
    if name in frame and (attribute.groupby(frame[name].to_numpy(), dropna=False).nunique(dropna=False) > 1).any():
        raise DataError(f"the attribute {name!r} is another than the column {name!r} of X; expected a name of its own")


def _exposure(exposure: Any, num_rows: int) -> NDArray[np.float64] | None:
    if exposure is None:
        return None
    held = column_of(_one_per_row("exposure", exposure, num_rows), "exposure")
    if not held.is_number:
        raise DataError(f"exposure holds text or truth values, such as {held.levels[0]!r}; expected numbers above 0")
    if not bool((held.values > 0).all()):
        row = int((~(held.values > 0)).argmax())
        raise DataError(f"exposure of row {row} is not above 0 and finite; expected such numbers")
    return held.values


def _directions(directions: Any, names: tuple[str, ...]) -> dict[str, int]:
    if directions is None:
        return {}
    if not isinstance(directions, Mapping):
        raise RecipeError(f"directions is {directions!r}; expected {{column: 1}} (never falls) or {{column: -1}}")
    _columns("directions", tuple(directions), names)
    return dict(directions)


def _columns(what: str, names: Any, known: tuple[str, ...]) -> tuple[str, ...]:
    listed = (names,) if isinstance(names, str) else tuple(names) if isinstance(names, Iterable) else None
    if listed is None:
        raise RecipeError(f"{what} is {names!r}; expected names of columns")
    for name in listed:
        if not isinstance(name, str) or name not in known:
            raise RecipeError(f"{what}: {unknown('column', str(name), dict.fromkeys(known))}")
    return listed
