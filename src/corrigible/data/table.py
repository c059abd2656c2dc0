"""Encode a data frame of numbers and categories as tensors for a network."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from corrigible.data.dataset import TensorData
from corrigible.data.table_columns import MISSING as MISSING
from corrigible.data.table_columns import (
    classes_of,
    codes_of,
    column_of,
    exposures,
    in_order,
    is_categorical,
    label_numbers,
    named,
    numbers_of,
    queries,
    row_weights,
    text_of,
    texts_of,
)
from corrigible.errors import DataError
from corrigible.tasks import TaskChoice
from corrigible.types import Columns

OF_CLASSES = ("classes", "ordered_classes")
"""Tasks whose labels are classes; those of all others are numbers."""


@dataclass(frozen=True)
class Numeric:
    """How one column of numbers is encoded."""

    name: str
    mean: float
    sd: float
    """0 if all known values are equal; then only the indicator is kept."""
    has_missing: bool
    """True if the training frame has missing values here; then a column ``name=missing`` marks them."""


@dataclass(frozen=True)
class Categorical:
    """How one column of categories is encoded."""

    name: str
    categories: tuple[str, ...]


@dataclass(frozen=True)
class TableEncoder:
    """The facts about the training frame that are needed to encode other frames like it."""

    features: tuple[Numeric | Categorical, ...]
    target: str | tuple[str, ...]
    """The column with the labels; for several labels, one column for each."""
    class_names: tuple[str, ...]
    """For several labels, the name of each; empty for numbers."""
    group: str | None = None
    group_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Which columns were dropped, and why."""
    weight: str | None = None
    """The column with the weight of each row."""
    task: str = "classes"
    """The name of the task that the labels are for."""
    exposure: str | None = None
    query: str | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns with the labels."""
        return (self.target,) if isinstance(self.target, str) else self.target

    @property
    def columns(self) -> Columns:
        """Which columns of the encoded ``x`` make up which feature."""
        found = [
            (name, feature.name, is_one_hot) for feature in self.features for name, is_one_hot in _columns(feature)
        ]
        names, features, one_hot = zip(*found, strict=True)
        return Columns(names, features, one_hot)


def encoder_of(
    frame: pd.DataFrame,
    *,
    target: str | Sequence[str],
    group: str | None = None,
    weight: str | None = None,
    exposure: str | None = None,
    query: str | None = None,
    drop: Sequence[str] = (),
    task: str = "classes",
) -> TableEncoder:
    """The encoder for frames like this one, learned from it.

    Columns of numbers are standardised by their mean and population standard deviation; missing numbers become the
    mean, and a column ``name=missing`` marks them. Columns of booleans, text or categories become one-hot columns, with
    an additional category for missing values if there are any. Integer columns are numbers: convert them to text to
    make them categories. Constant columns are dropped with a note. The group column is also a feature unless ``drop``
    names it; the columns of weight, exposure and query are not features.

    Args:
        target: the column with the labels, or for several labels one column for each.
        exposure: the column with the exposure of each row, for counts and costs.
        query: the column that says which rows are ranked among each other.
        task: the name of the task that the labels are for.

    Raises:
        DataError: no rows, a column that is absent, repeated, infinite or of another type, a missing label, a target
            or group that is not a class, several targets for a task of one, no feature left.
    """
    frame = named(frame)
    if frame.empty:
        raise DataError("the training table has no rows; expected at least one")
    targets = _targets(target, task)
    beside = [name for name in (weight, exposure, query) if name is not None]
    wanted = [*targets, *([] if group is None else [group]), *beside, *drop]
    for name in wanted:
        column_of(frame, name)
    features, notes = [], []
    for name in frame.columns:
        if name in (*targets, *beside) or name in drop:
            continue
        feature = _categorical(frame[name]) if is_categorical(frame[name]) else _numeric(frame[name])
        if _columns(feature):
            features.append(feature)
        else:
            notes.append(f"column {name!r} holds one value only and was dropped")
    if not features:
        raise DataError(f"no feature left beside {', '.join(wanted)}; expected a column that is not constant")
    class_names = _label_names(frame, targets, task)
    group_names = () if group is None else in_order(texts_of(frame, group))
    kept = target if isinstance(target, str) else targets
    facts = (tuple(features), kept, class_names, group, group_names, tuple(notes))
    return TableEncoder(*facts, weight, task, exposure, query)


def _targets(target: Any, task: str) -> tuple[str, ...]:
    names = (target,) if isinstance(target, str) else target
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) for name in names):
        raise DataError(f"target is {target!r}; expected the name of a column, or for several labels a list of names")
    if len(names) > 1 and task != "several_labels":
        raise DataError(f"target names {len(names)} columns; the task {task!r} expects one")
    return tuple(names)


def _label_names(frame: pd.DataFrame, targets: tuple[str, ...], task: str) -> tuple[str, ...]:
    if task in OF_CLASSES:
        return in_order(classes_of(frame, targets[0]))
    label_numbers(frame, targets)  # To be refused at once.
    return targets if task == "several_labels" else ()


def encode(frame: pd.DataFrame, encoder: TableEncoder, *, task: TaskChoice | None = None) -> TensorData:
    """The frame's rows as float32 columns, with labels and group numbers; other columns are ignored.

    A category that the encoder has not seen gives zeros in all columns of its feature. A missing number in a column
    that was complete in training becomes the training mean.

    Args:
        task: what the labels mean, for rows beside the training rows the `Task` of those; None for the encoder's.

    Raises:
        DataError: no rows, an absent column, an infinite number, text in a column of numbers, an unknown class or
            group.
    """
    frame = named(frame)
    if not len(frame):
        raise DataError("the table has no rows; expected at least one")
    x = np.concatenate([_encoded(column_of(frame, feature.name), feature) for feature in encoder.features], axis=1)
    group = None
    if encoder.group is not None:
        group = codes_of(texts_of(frame, encoder.group), encoder.group_names, encoder.group)
    weight = None
    if encoder.weight is not None and encoder.weight in frame:  # Rows that are only measured need none.
        weight = torch.from_numpy(row_weights(column_of(frame, encoder.weight)))
    x_tensor, names = torch.from_numpy(x.astype(np.float32)), (encoder.class_names, encoder.group_names)
    beside: dict[str, Any] = {"weight": weight, "extra": beside_labels(frame, encoder), "task": task or encoder.task}
    return TensorData(x_tensor, labels_of(frame, encoder), group, encoder.columns, *names, **beside)


def labels_of(frame: pd.DataFrame, encoder: TableEncoder) -> Tensor:
    """The labels of the rows: class numbers, or numbers, for several labels (row, label).

    Raises:
        DataError: a row without a label, or one that does not fit.
    """
    frame = named(frame)
    if encoder.task in OF_CLASSES:
        (target,) = encoder.targets
        return codes_of(classes_of(frame, target), encoder.class_names, target)
    y = torch.from_numpy(label_numbers(frame, encoder.targets))
    y = y.float() if bool((y.float().double() == y.double()).all()) or not bool((y == y.round()).all()) else y
    return y if encoder.task == "several_labels" else y[:, 0]


def beside_labels(frame: pd.DataFrame, encoder: TableEncoder) -> dict[str, Tensor]:
    """The exposure and query columns of the frame, as `TensorData.extra` takes them.

    Raises:
        DataError: an exposure that is not above 0, or a missing value.
    """
    found = {}
    if encoder.exposure is not None:
        found["exposure"] = torch.from_numpy(exposures(column_of(frame, encoder.exposure)))
    if encoder.query is not None:
        found["query"] = queries(column_of(frame, encoder.query))
    return found


def to_json(encoder: TableEncoder) -> str:
    """The encoder as JSON text; every number comes back exactly."""
    return json.dumps(asdict(encoder), indent=1)


def from_json(text: str) -> TableEncoder:
    """The encoder that ``to_json`` wrote.

    Raises:
        DataError: the text is not an encoder.
    """
    try:
        facts = json.loads(text)
        features = tuple(_feature(feature) for feature in facts.pop("features"))
        names = {key: tuple(facts.pop(key)) for key in ("class_names", "group_names", "notes")}
        if not isinstance(facts["target"], str):
            names["target"] = tuple(facts.pop("target"))
        return TableEncoder(**{"features": features, **facts, **names})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"not a table encoder ({error!r}); expected the text that to_json writes") from error


def _feature(facts: dict[str, Any]) -> Numeric | Categorical:
    if "categories" in facts:
        return Categorical(facts["name"], tuple(facts["categories"]))
    return Numeric(**facts)


def _columns(feature: Numeric | Categorical) -> list[tuple[str, bool]]:
    """Name of each encoded column, and whether it is a one-hot column."""
    if isinstance(feature, Categorical):
        # A single category carries no information.
        return [(f"{feature.name}={c}", True) for c in feature.categories] if len(feature.categories) > 1 else []
    return [(feature.name, False)] * (feature.sd > 0) + [(f"{feature.name}={MISSING}", False)] * feature.has_missing


def _encoded(values: "pd.Series[Any]", feature: Numeric | Categorical) -> NDArray[np.float64]:
    if isinstance(feature, Categorical):
        codes = pd.Index(feature.categories).get_indexer(pd.Index(text_of(values)))
        # An unseen category has code -1, the last row, which is all zeros without its last column.
        return np.eye(len(feature.categories) + 1)[codes, :-1]
    numbers = numbers_of(values)
    missing = np.isnan(numbers)
    standard = np.where(missing, 0.0, numbers - feature.mean) / (feature.sd or 1.0)
    indicator = missing.astype(np.float64)
    columns: list[NDArray[np.float64]] = [standard] * (feature.sd > 0) + [indicator] * feature.has_missing
    return np.stack(columns, axis=1)


def _numeric(values: "pd.Series[Any]") -> Numeric:
    numbers = numbers_of(values)
    known = numbers[~np.isnan(numbers)]
    # Compared by range: rounding can give a constant column a standard deviation above 0.
    if len(known) == 0 or known.min() == known.max():
        mean, sd = (float(known[0]) if len(known) else 0.0), 0.0
    else:
        mean, sd = float(known.mean()), float(known.std())
    return Numeric(str(values.name), mean, sd, has_missing=0 < len(known) < len(numbers))


def _categorical(values: "pd.Series[Any]") -> Categorical:
    return Categorical(str(values.name), in_order(text_of(values)))
