"""A table's attributions by feature, as its plots show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.data.arrays import PLAIN_OBJECTS, columns_in, frame_of, numbers
from corrigible.data.original_units import units_in
from corrigible.data.table import encode
from corrigible.data.table_encoder import TableEncoder
from corrigible.errors import DataError, unknown
from corrigible.explanations.features import feature_index, plain_columns, separate_columns
from corrigible.explanations.groups import by_group
from corrigible.figures import short_number
from corrigible.plots.style import plain
from corrigible.printable import plural
from corrigible.types import Columns

FeatureNames = Columns | TableEncoder | Sequence[str] | None
"""Which columns of a table make up which feature: `Columns`, the encoder that made them, or one name per column; None
for the names of the frames that were given, or the columns' numbers."""


@dataclass(frozen=True)
class FeatureValues:
    """What the rows hold in one feature."""

    number: Float[np.ndarray, " row"] | None = None
    """NaN where unknown; None for a category."""
    categories: tuple[str, ...] = ()
    category: np.ndarray | None = None
    """The number of each row's category; -1 for none."""


def columns_named(names: FeatureNames, num_columns: int, *given: Any) -> Columns:
    """Which columns make up which feature.

    Args:
        given: what was given as rows or attributions; the first frame names the columns where ``names`` is None.

    Raises:
        DataError: another number of columns, or a feature's name twice.
    """
    if isinstance(names, TableEncoder):
        names = names.columns
    if names is None or not (isinstance(names, Columns) or len(names)):
        in_frames = (columns_in(values) for values in given)
        names = next((found for found in in_frames if found is not None), plain_columns(num_columns))
    columns = names if isinstance(names, Columns) else separate_columns([*map(str, names)])
    if len(columns.names) != num_columns:
        raise DataError(f"{plural(len(columns.names), 'name')} for {plural(num_columns, 'column')}; expected one each")
    return columns


def numbers_in(values: Any, name: str) -> Tensor:
    """The values of a tensor, an array, a list or a frame, in the processor's memory.

    Raises:
        DataError: values that are not numbers.
    """
    return numbers(values, name).detach().cpu()


def rows_in(x: Any, columns: FeatureNames) -> tuple[Tensor, Mapping[str, FeatureValues]]:
    """The rows as numbers, and by feature what the columns of a frame hold that are words.

    A frame with words is encoded if the columns are its encoder; otherwise the number of a word is its place.

    Raises:
        DataError: values that are neither numbers nor words, or a frame that the encoder does not read.
    """
    frame = frame_of(x)
    texts = [] if frame is None else [name for name in frame.columns if not _holds_numbers(frame[name])]
    if frame is None or not texts:
        return numbers_in(x, "x"), {}
    if isinstance(columns, TableEncoder):
        return encode(frame, columns).x, {}
    words, frame = dict[str, FeatureValues](), frame.copy()
    for name in texts:
        places, categories = pd.factorize(frame[name].astype(str).where(frame[name].notna()), sort=True)
        words[str(name)] = FeatureValues(categories=tuple(map(plain, map(str, categories))), category=places)
        frame[name] = places
    return numbers_in(frame, "x"), words


def _holds_numbers(column: "pd.Series[Any]") -> bool:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return False
    return pd.api.types.is_numeric_dtype(column) or pd.api.types.infer_dtype(column, skipna=True) in PLAIN_OBJECTS


def signed_by_feature(attribution: Float[Tensor, " row column"], columns: Columns) -> Float[np.ndarray, " row feature"]:
    """The attribution summed over the columns of each feature."""
    summed = by_group(attribution.detach().double().cpu(), feature_index(columns), num_groups=len(columns.features))
    found: Float[np.ndarray, " row feature"] = summed.numpy()
    return found


def require_finite(values: Float[Tensor, " row column"], name: str) -> None:
    """Raises DataError that names the first row with a value that is not a number."""
    bad = (~values.isfinite()).any(dim=1).nonzero().flatten()
    if len(bad):
        raise DataError(f"row {int(bad[0])} of {name} is NaN or infinite ({len(bad)} such rows); leave such rows out")


def in_order(columns: Columns, order: Sequence[str], sizes: Float[np.ndarray, " feature"], most: int) -> list[int]:
    """Positions of at most so many features with the largest sizes: those in ``order`` first, then by size.

    Raises:
        DataError: a name in ``order`` that no feature has.
    """
    require_features(order, columns)
    place = {name: rank for rank, name in enumerate(order)}
    found = strongest(sizes, most)
    return sorted(found, key=lambda feature: place.get(columns.features[feature], len(place)))


def require_features(order: Sequence[str], columns: Columns) -> None:
    """Raises DataError for a name in ``order`` that no feature has."""
    for name in order:
        if name not in columns.features:
            raise DataError(unknown("feature in order", name, columns.features))


def strongest(sizes: Float[np.ndarray, " feature"], most: int) -> list[int]:
    """Positions of the largest sizes, the largest first; at least one.

    Raises:
        DataError: fewer than one wanted.
    """
    if most < 1:
        raise DataError(f"max_features is {most}; expected at least 1")
    return np.argsort(-sizes, kind="stable")[:most].tolist()  # type: ignore[no-any-return]


def values_of(x: Float[Tensor, " row column"], columns: Columns, feature: str) -> FeatureValues:
    """What the rows hold in the feature: its one number, or its category.

    Numbers are in the units that the columns know of; one that is only ever 0 or 1 is a category. A number's further
    columns (``age=missing``) tell where it is unknown.
    """
    places = [place for place, name in enumerate(columns.feature) if name == feature]
    held = x[:, places].detach().double().cpu()
    if columns.one_hot[places[0]]:
        category = torch.where(held.amax(dim=1) > 0.5, held.argmax(dim=1), -1)
        names = tuple(plain(columns.names[place]).removeprefix(f"{plain(feature)}=") for place in places)
        return FeatureValues(categories=names, category=category.numpy())
    is_missing = (held[:, 1:] > 0.5).any(dim=1) if held.shape[1] > 1 else torch.zeros(len(held), dtype=torch.bool)
    number = units_in(columns).originals(places[0], held[:, 0].masked_fill(is_missing, torch.nan).numpy())
    known = number[np.isfinite(number)]
    if set(known.tolist()) == {0.0, 1.0}:
        words = dict(columns.words)
        categories = tuple(words.get(f"{feature}={value}", value) for value in ("0", "1"))
        return FeatureValues(categories=categories, category=np.nan_to_num(number, nan=-1).astype(int))
    return FeatureValues(number=number)


def with_value(columns: Columns, feature: str, x: Float[Tensor, " column"] | None) -> str:
    """The feature with what a row holds in it; its name alone without a row."""
    if x is None:
        return feature
    values = values_of(x[None], columns, feature)
    if values.number is not None:
        held = float(values.number[0])
        value = short_number(held) if np.isfinite(held) else "missing"
        return f"{feature} = {dict(columns.words).get(f'{feature}={value}', value)}"
    assert values.category is not None
    place = int(values.category[0])
    return f"{feature} = {values.categories[place] if place >= 0 else 'none'}"
