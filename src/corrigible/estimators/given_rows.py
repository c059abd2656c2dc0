"""What scikit-learn's users give, as a frame and arrays: checked, or refused in one line."""

import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data
from torch import Tensor

from corrigible.data.attributes import attribute_of, attribute_values, intersections
from corrigible.data.cells import cells_of
from corrigible.data.dataset import TensorData, task_of
from corrigible.data.frames import as_frame
from corrigible.data.table_columns import require_finite
from corrigible.data.table_encoding import label_tensor
from corrigible.data.table_roles import require_once
from corrigible.errors import DataError
from corrigible.tasks import TaskChoice
from corrigible.types import Columns

PLAIN = (str, numbers.Number, np.bool_, Decimal)
"""What a cell of an array of objects may hold, beside nothing."""


@dataclass(frozen=True)
class GivenRows:
    """Rows with their labels, checked."""

    frame: pd.DataFrame
    y: NDArray[Any]
    """Classes, their numbers, or the labels themselves."""
    weight: NDArray[np.float64]
    exposure: NDArray[np.float64] | None = None
    group: NDArray[np.int64] | None = None
    """Of `sensitive_features`."""
    cluster: NDArray[np.int64] | None = None
    """The number, from 0 up, of the person, or whatever else has several rows that are held out together."""
    group_names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    attributes: Mapping[str, Tensor] = field(default_factory=dict)
    """Of `sensitive_features`, where these are several columns, or numbers: each by itself."""
    taught: NDArray[np.float64] | None = None
    """What a teacher says: logits of classes, (row, class), or a prediction of each row."""

    @property
    def numbers(self) -> list[NDArray[np.float64]]:
        """What belongs to each row beside its columns, without its weight and group."""
        beside = (self.y, self.exposure, self.cluster, self.taught)
        return [given.astype(np.float64) for given in beside if given is not None]

    def at(self, places: NDArray[np.int64]) -> "GivenRows":
        """The rows at these places."""
        beside = {name: getattr(self, name) for name in ("y", "weight", "exposure", "group", "cluster", "taught")}
        taken: dict[str, Any] = {name: values[places] for name, values in beside.items() if values is not None}
        if self.cluster is not None:
            taken["cluster"] = np.unique(taken["cluster"], return_inverse=True)[1]
        attributes = {name: values[torch.from_numpy(places)] for name, values in self.attributes.items()}
        return replace(self, frame=self.frame.iloc[places], attributes=attributes, **taken)

    def data(self, x: Tensor, columns: Columns | None, task: TaskChoice) -> TensorData:
        """The rows with these encoded features as a data set.

        Raises:
            DataError: labels that do not fit the task, or an exposure that it does not read.
        """
        y = torch.from_numpy(self.y) if self.class_names else label_tensor(self.y)
        beside = {"exposure": self.exposure, "teacher": self.taught}
        extra = {name: torch.from_numpy(values).float() for name, values in beside.items() if values is not None}
        extra |= self.attributes
        group = None if self.group is None else torch.from_numpy(self.group)
        more: dict[str, Any] = {"weight": _relative(self.weight), "extra": extra, "task": task}
        found = TensorData(x, y, group, columns, self.class_names, self.group_names, **more)
        if self.exposure is not None and "exposure" not in task_of(found).extra:
            raise DataError(f"the task {task_of(found).name!r} takes no exposure; leave it out, or choose 'counts'")
        return found


def given_rows(
    frame: pd.DataFrame,
    y: NDArray[Any],
    *,
    sensitive_features: Any = None,
    sample_weight: Any = None,
    exposure: Any = None,
    groups: Any = None,
) -> GivenRows:
    """The rows of a frame with their labels and what stands beside them.

    Raises:
        DataError: another number of rows, a weight below 0 or none above it, an exposure that is not above 0, rows
            that are all of one group.
    """
    num_rows = len(frame)
    weight = np.ones(num_rows) if sample_weight is None else _row_numbers("sample_weight", sample_weight, num_rows)
    exposure = None if exposure is None else _row_numbers("exposure", exposure, num_rows)
    if bool((weight < 0).any()) or not bool((weight > 0).any()):
        found = f"holds {weight.min():g}" if weight.min() < 0 else "is zero in every row"
        raise DataError(f"sample_weight {found}; expected weights of at least zero, and one above")
    if exposure is not None and bool((exposure <= 0).any()):
        raise DataError(
            f"exposure of row {int((exposure <= 0).argmax())} is {exposure.min():g}; expected numbers above 0"
        )
    group, names, attributes = _sensitive(sensitive_features, num_rows)
    cluster = None if groups is None else _clusters(groups, num_rows, weight > 0)
    return GivenRows(frame, y, weight, exposure, group, cluster, names, attributes=attributes)


def frame_of(X: Any, estimator: BaseEstimator, *, names: Sequence[str] | None = None) -> pd.DataFrame:
    """A frame of the rows whose column names are text; ``X`` itself stays as it is.

    Args:
        names: of the columns in training, whose place the columns take; None for the training rows themselves.

    Raises:
        DataError: a name that occurs twice, a frame without rows or columns, or an infinite number.
        ValueError, TypeError: as scikit-learn's own estimators; other columns than in training.
    """
    least_rows = 2 if names is None else 1
    if hasattr(X, "columns"):
        frame = as_frame(X)
        require_once(list(map(str, frame.columns)))
        validate_data(estimator, frame, skip_check_array=True, reset=names is None)
    else:
        array = _checked(X, estimator, least_rows=least_rows)
        validate_data(estimator, array, skip_check_array=True, reset=names is None)
        frame = _framed(array)
    _require_some(frame, least_rows=least_rows)
    frame = frame.set_axis(list(map(str, frame.columns)) if names is None else list(names), axis=1)
    for name in frame.columns:
        if is_numeric_dtype(frame[name].dtype) and isinstance(cells := cells_of(frame[name]), np.ndarray):
            require_finite(name, cells)
    return frame


def classes_of(y: Any, num_rows: int) -> NDArray[Any]:
    """The class of each row.

    Raises:
        DataError: a row without a class, or text beside numbers.
        ValueError: another number of rows, or labels that are amounts.
    """
    found = _column(y, num_rows)
    if (order := getattr(getattr(y, "dtype", None), "categories", None)) is not None and y.dtype.ordered:
        _require_sorted(list(map(str, order)))
    if bool(pd.isna(found).any()):
        raise DataError(f"y of row {int(pd.isna(found).argmax())} is missing; expected a class: drop rows without one")
    if found.dtype == object and len({isinstance(label, str) for label in found}) > 1:
        raise DataError("y holds text beside numbers; expected classes of one type: convert them, as by astype(str)")
    check_classification_targets(found)
    return found


def _require_sorted(order: Sequence[str]) -> None:
    """Raises DataError for ordered categories in another order than the sorted one, which ``classes_`` has."""
    if list(order) != sorted(order):
        raise DataError(
            f"y is ordered {' < '.join(order)}, and classes are taken in the order {', '.join(sorted(order))}; "
            "give numbers (y.cat.codes), or a category without an order"
        )


def amounts_of(y: Any, num_rows: int) -> NDArray[np.float64]:
    """The number of each row.

    Raises:
        DataError: a row without a number, an infinite one, dates or text.
        ValueError: another number of rows.
    """
    column = pd.Series(_column(y, num_rows)).infer_objects()
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        raise DataError(f"y holds values of {column.dtype}; expected numbers: a date says how many days since another")
    try:
        found = pd.to_numeric(column, errors="raise").to_numpy(np.float64, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise DataError(f"y holds what is no number ({error}); expected numbers, or use TabularClassifier") from error
    return _finite("y", found.copy())


def _row_numbers(name: str, given: Any, num_rows: int) -> NDArray[np.float64]:
    """One number for each row."""
    try:
        found = np.array(given, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise DataError(f"{name} holds what is no number ({error}); expected one number for each row") from error
    if found.shape != (num_rows,):
        raise DataError(f"{name} has shape {found.shape}; expected one number for each of the {num_rows} rows")
    return _finite(name, found)


def _relative(weight: NDArray[np.float64]) -> Tensor | None:
    """The weights with a mean of 1; None if all are equal."""
    return None if bool((weight == weight[0]).all()) else torch.from_numpy(weight / weight.mean()).float()


def _clusters(given: Any, num_rows: int, counts: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The number of each row's group among the sorted groups; several must be among the rows that count."""
    found = pd.Series(_one_each("groups", given, num_rows)).infer_objects()
    if bool(found.isna().any()):
        row = int(found.isna().argmax())
        raise DataError(f"groups of row {row} is missing; expected a group: give a row that stands alone its own")
    # Numbers among each other and texts among each other, else the order would be that of the rows.
    keys = found if is_numeric_dtype(found.dtype) else found.map(str)
    codes, names = pd.factorize(keys, sort=True)
    if len(left := np.unique(codes[counts])) < 2:
        raise DataError(f"groups holds one group, {str(names[left[0]])!r}; expected at least two, or leave it out")
    return codes.astype(np.int64)


def _one_each(name: str, given: Any, num_rows: int) -> NDArray[Any]:
    found = np.asarray(given)
    if found.shape != (num_rows,):
        raise DataError(
            f"{name} has shape {found.shape}; expected one value for each of the {num_rows} rows: join several columns "
            "to one"
        )
    return found


def _sensitive(given: Any, num_rows: int) -> tuple[NDArray[np.int64] | None, tuple[str, ...], dict[str, Tensor]]:
    """The group of each row as a number, the names of the groups, and each attribute that is none by itself."""
    if given is None:
        return None, (), {}
    if not hasattr(given, "columns"):
        name = str(getattr(given, "name", None) or "sensitive_features")
        frame = pd.DataFrame({name: _one_each("sensitive_features", given, num_rows)}).infer_objects()
    else:
        frame = as_frame(given)
        require_once(list(map(str, frame.columns)))
    if len(frame) != num_rows or not len(frame.columns):
        found = f"has shape {frame.shape}"
        raise DataError(f"sensitive_features {found}; expected a column of one value for each of the {num_rows} rows")
    cells = {str(name): cells_of(frame[name]) for name in frame.columns}
    attributes = [attribute_of(name, found) for name, found in cells.items()]
    values = {attribute.name: attribute_values(attribute, cells[attribute.name]) for attribute in attributes}
    group, names = intersections(attributes, values)
    is_nameless = group is not None and not hasattr(given, "columns") and getattr(given, "name", None) is None
    return None if group is None else group.numpy(), names, {} if is_nameless else values


def _checked(X: Any, estimator: BaseEstimator, *, least_rows: int) -> NDArray[Any]:
    """The rows as an array of two axes, as scikit-learn checks it; texts beside numbers stay what they are."""
    is_mixed = isinstance(X, list | tuple) and np.asarray(X, dtype=object).ndim == 2 and _has_text(X)
    given = np.asarray(X, dtype=object) if is_mixed else X
    dense: dict[str, Any] = {"dtype": None, "ensure_all_finite": False, "ensure_min_samples": least_rows}
    found: NDArray[Any] = check_array(given, estimator=estimator, input_name="X", **dense)
    if found.dtype == object:
        _require_plain(found)
    return found


def _has_text(X: Sequence[Any]) -> bool:
    return any(isinstance(cell, str) for row in X for cell in row)


def _require_plain(array: NDArray[Any]) -> None:
    """Raises TypeError for a cell that is neither a text nor a number, in scikit-learn's words."""
    for place, cell in enumerate(array.ravel()):
        if cell is not None and cell is not pd.NA and not isinstance(cell, PLAIN):
            row, column = divmod(place, array.shape[1])
            raise TypeError(
                f"X holds a {type(cell).__name__} in row {row}, column {column}; each cell of the argument must be a "
                "string or a real number"
            )


def _framed(array: NDArray[Any]) -> pd.DataFrame:
    frame = pd.DataFrame(array, columns=[f"x{place}" for place in range(array.shape[1])])
    return frame.infer_objects() if array.dtype == object else frame


def _require_some(frame: pd.DataFrame, *, least_rows: int) -> None:
    rows, columns = frame.shape
    if not columns:
        raise DataError(f"X has 0 feature(s) (shape=({rows}, 0)) while a minimum of 1 is required.")
    if rows < least_rows:
        raise DataError(f"X has {rows} sample(s) (shape=({rows}, {columns})); expected at least {least_rows}")


def _column(y: Any, num_rows: int) -> NDArray[Any]:
    found: NDArray[Any] = column_or_1d(np.asarray(y), warn=True)
    if len(found) != num_rows:
        raise DataError(f"y has {len(found)} rows and X has {num_rows}; expected one label for each row")
    return found


def _finite(name: str, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    if not bool(np.isfinite(numbers).all()):
        row = int((~np.isfinite(numbers)).argmax())
        raise DataError(f"{name} of row {row} is {numbers[row]:g}; expected finite numbers: drop rows without one")
    return numbers
