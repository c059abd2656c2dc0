"""Encode a data frame of numbers and categories as tensors for a network."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_complex_dtype, is_numeric_dtype
from torch import Tensor

from corrigible.data.dataset import TensorData
from corrigible.errors import DataError
from corrigible.types import Columns

MISSING = "missing"
"""The name of a missing category; a cell with this text also counts as missing."""


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
    target: str
    class_names: tuple[str, ...]
    group: str | None = None
    group_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Which columns were dropped, and why."""
    weight: str | None = None
    """The column with the weight of each row."""

    @property
    def columns(self) -> Columns:
        """Which columns of the encoded ``x`` make up which feature."""
        found = [
            (name, feature.name, is_one_hot) for feature in self.features for name, is_one_hot in _columns(feature)
        ]
        names, features, one_hot = zip(*found, strict=True)
        return Columns(names, features, one_hot)


def encoder_of(
    frame: pd.DataFrame, *, target: str, group: str | None = None, weight: str | None = None, drop: Sequence[str] = ()
) -> TableEncoder:
    """The encoder for frames like this one, learned from it.

    Columns of numbers are standardised by their mean and population standard deviation; missing numbers become the
    mean, and a column ``name=missing`` marks them. Columns of booleans, text or categories become one-hot columns, with
    an additional category for missing values if there are any. Integer columns are numbers: convert them to text to
    make them categories. Constant columns are dropped with a note. The group column is also a feature unless ``drop``
    names it; the weight column is not a feature.

    Raises:
        DataError: no rows, a column that is absent, repeated, infinite or of another type, a missing target, a target
            or group that is not a class, no feature left.
    """
    frame = _named(frame)
    if frame.empty:
        raise DataError("the training table has no rows; expected at least one")
    wanted = [name for name in (target, group, weight, *drop) if name is not None]
    for name in wanted:
        _column(frame, name)
    features, notes = [], []
    for name in frame.columns:
        if name in (target, weight) or name in drop:
            continue
        feature = _categorical(frame[name]) if _is_categorical(frame[name]) else _numeric(frame[name])
        if _columns(feature):
            features.append(feature)
        else:
            notes.append(f"column {name!r} holds one value only and was dropped")
    if not features:
        raise DataError(f"no feature left beside {', '.join(wanted)}; expected a column that is not constant")
    class_names = in_order(_classes(frame, target))
    group_names = () if group is None else in_order(_texts(frame, group))
    return TableEncoder(tuple(features), target, class_names, group, group_names, tuple(notes), weight)


def encode(frame: pd.DataFrame, encoder: TableEncoder) -> TensorData:
    """The frame's rows as float32 columns, with class and group numbers; other columns are ignored.

    A category that the encoder has not seen gives zeros in all columns of its feature. A missing number in a column
    that was complete in training becomes the training mean.

    Raises:
        DataError: no rows, an absent column, an infinite number, text in a column of numbers, an unknown class or
            group.
    """
    frame = _named(frame)
    if not len(frame):
        raise DataError("the table has no rows; expected at least one")
    x = np.concatenate([_encoded(_column(frame, feature.name), feature) for feature in encoder.features], axis=1)
    y = codes_of(_classes(frame, encoder.target), encoder.class_names, encoder.target)
    group = None
    if encoder.group is not None:
        group = codes_of(_texts(frame, encoder.group), encoder.group_names, encoder.group)
    weight = None
    if encoder.weight is not None and encoder.weight in frame:  # Rows that are only measured need none.
        weight = torch.from_numpy(_weights(_column(frame, encoder.weight)))
    x_tensor, names = torch.from_numpy(x.astype(np.float32)), (encoder.class_names, encoder.group_names)
    return TensorData(x_tensor, y, group, encoder.columns, *names, weight=weight)


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
        codes = pd.Index(feature.categories).get_indexer(pd.Index(_text_of(values)))
        # An unseen category has code -1, the last row, which is all zeros without its last column.
        return np.eye(len(feature.categories) + 1)[codes, :-1]
    numbers = _numbers(values)
    missing = np.isnan(numbers)
    standard = np.where(missing, 0.0, numbers - feature.mean) / (feature.sd or 1.0)
    indicator = missing.astype(np.float64)
    columns: list[NDArray[np.float64]] = [standard] * (feature.sd > 0) + [indicator] * feature.has_missing
    return np.stack(columns, axis=1)


def _numeric(values: "pd.Series[Any]") -> Numeric:
    numbers = _numbers(values)
    known = numbers[~np.isnan(numbers)]
    # Compared by range: rounding can give a constant column a standard deviation above 0.
    if len(known) == 0 or known.min() == known.max():
        mean, sd = (float(known[0]) if len(known) else 0.0), 0.0
    else:
        mean, sd = float(known.mean()), float(known.std())
    return Numeric(str(values.name), mean, sd, has_missing=0 < len(known) < len(numbers))


def _categorical(values: "pd.Series[Any]") -> Categorical:
    return Categorical(str(values.name), in_order(_text_of(values)))


def _is_categorical(values: "pd.Series[Any]") -> bool:
    if is_bool_dtype(values.dtype) or isinstance(values.dtype, pd.CategoricalDtype | pd.StringDtype):
        return True
    if (not is_numeric_dtype(values.dtype) and values.dtype != object) or is_complex_dtype(values.dtype):
        raise DataError(
            f"column {values.name!r} holds {values.dtype} values; expected numbers or text: convert or drop it"
        )
    return bool(values.dtype == object)


def _numbers(values: "pd.Series[Any]") -> NDArray[np.float64]:
    """The column as float64, NaN where missing."""
    known = values if is_numeric_dtype(values.dtype) else pd.to_numeric(values.astype(object), errors="coerce")
    numbers: NDArray[np.float64] = known.to_numpy(dtype=np.float64, na_value=np.nan)
    _refuse(values, np.isnan(numbers) & ~values.isna().to_numpy(), "a number")
    _refuse(values, np.isinf(numbers), "a finite number")
    return numbers


def _weights(values: "pd.Series[Any]") -> NDArray[np.float32]:
    found = _numbers(values)
    _refuse(values, ~(found >= 0) | np.isinf(found), "numbers of at least 0 that say how much each row counts")
    return found.astype(np.float32)


def _refuse(values: "pd.Series[Any]", is_bad: NDArray[np.bool_], expected: str) -> None:
    if is_bad.any():
        row = int(is_bad.argmax())
        found = f"column {values.name!r} holds {str(values.iloc[row])!r} in row {row}"
        raise DataError(f"{found} ({int(is_bad.sum())} such rows); expected {expected}")


def _text_of(values: "pd.Series[Any]") -> list[str]:
    """Each value as text; a whole number is written without a point, however it is stored."""
    return [MISSING if is_missing else _text(value) for value, is_missing in zip(values, values.isna(), strict=True)]


def _text(value: Any) -> str:
    is_whole = isinstance(value, float | np.floating) and float(value).is_integer()
    return str(int(value)) if is_whole else str(value)


def _texts(frame: pd.DataFrame, name: str) -> list[str]:
    """The values of a column of classes or groups, as text."""
    values = _column(frame, name)
    if not _is_categorical(values):
        numbers = _numbers(values)
        _refuse(
            values, ~np.isnan(numbers) & (numbers != np.round(numbers)), "whole numbers or text for classes and groups"
        )
    return _text_of(values)


def _classes(frame: pd.DataFrame, target: str) -> list[str]:
    _refuse(
        _column(frame, target), _column(frame, target).isna().to_numpy(), "a class in every row: drop rows without one"
    )
    return _texts(frame, target)


def codes_of(texts: list[str], names: tuple[str, ...], column: str) -> Int[Tensor, " row"]:
    """The position of each text among the names.

    Raises:
        DataError: a text that is not among them.
    """
    unknown = sorted(set(texts) - set(names))
    if unknown:
        known = ", ".join(names)
        raise DataError(f"column {column!r} holds {unknown[0]!r}, which the training table lacks; it has {known}")
    numbers = {name: number for number, name in enumerate(names)}
    return torch.tensor([numbers[text] for text in texts])


def in_order(texts: list[str]) -> tuple[str, ...]:
    """The different texts, sorted: as numbers if all but the missing ones are whole numbers, else as text."""
    found = set(texts)
    if all(text.removeprefix("-").isdecimal() for text in found - {MISSING}):
        return tuple(sorted(found, key=lambda text: (text == MISSING, 0 if text == MISSING else int(text), text)))
    return tuple(sorted(found))


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.rename(columns=str)
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise DataError(f"column {repeated[0]!r} occurs more than once; expected different names")
    return frame


def _column(frame: pd.DataFrame, name: str) -> "pd.Series[Any]":
    if name not in frame.columns:
        raise DataError(f"the table has no column {name!r}; it has {', '.join(frame.columns)}")
    return frame[name]
