"""What the features of a table are: which are numbers, whole numbers or categories, and how far they usually differ."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from corrigible.data.class_order import MISSING
from corrigible.data.original_rows import frame_of_rows
from corrigible.data.original_units import Units, units_in
from corrigible.data.table_encoder import TableEncoder
from corrigible.errors import DataError, unknown
from corrigible.explanations.features import check_columns
from corrigible.types import Columns


@dataclass(frozen=True)
class FeatureFacts:
    """One feature of a table, in its original unit."""

    name: str
    kind: Literal["number", "integer", "category"]
    places: tuple[int, ...]
    """The columns of ``x`` that hold its value: one, or the one-hot columns of a category; none if it is constant."""
    mark: int | None = None
    """The column of ``x`` that marks empty cells of a number."""
    levels: tuple[str, ...] = ()
    """The values of a category, one for each of its columns; `missing` stands for an empty cell."""
    low: float = float("-inf")
    """The smallest number among the rows."""
    high: float = float("inf")
    mad: float = 1.0
    """The median distance of the rows from their median; where that is 0 the mean distance, and 1 if that is 0 too."""
    decimals: int = 4
    """Of the numbers; 0 for whole numbers."""
    unit: str = ""
    """Of the numbers, for people to read."""

    @property
    def is_category(self) -> bool:
        return self.kind == "category"


@dataclass(frozen=True)
class Schema:
    """The features of a table whose rows are encoded as ``columns`` say.

    Rows have three forms: ``x``, as the model takes them; values, one float64 for each feature, for a category the
    place of its level, NaN for an empty cell; and a frame, as people wrote them.
    """

    columns: Columns
    features: tuple[FeatureFacts, ...]
    """In the order of ``columns.features``."""
    _at: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_at", {feature.name: place for place, feature in enumerate(self.features)})

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._at)

    def place(self, name: str) -> int:
        """Where the feature stands among the features; raises DataError for a name that is none."""
        if name not in self._at:
            raise DataError(unknown("column", name, self._at))
        return self._at[name]

    def __getitem__(self, name: str) -> FeatureFacts:
        return self.features[self.place(name)]

    def frame(self, x: Float[Tensor, " row column"]) -> pd.DataFrame:
        """The rows as people wrote them: numbers in their units, categories by name, empty cells as None or NaN."""
        found = frame_of_rows(x, self.columns)
        for feature in self.features:
            if feature.kind == "integer" and feature.places:
                whole = found[feature.name].round()
                is_near = (found[feature.name] - whole).abs() <= _nearly(units_in(self.columns), feature.places[0])
                found[feature.name] = whole.where(is_near, found[feature.name])
        return found

    def frame_of(self, values: NDArray[np.float64]) -> pd.DataFrame:
        """The same of values: a number is as it is in them."""
        return pd.DataFrame({feature.name: self.cells(values, place) for place, feature in enumerate(self.features)})

    def cells(self, values: NDArray[np.float64], place: int) -> NDArray[Any]:
        """One feature of values as people write it: numbers, or the names of levels with None where empty."""
        feature, held = self.features[place], values[:, place]
        if not feature.is_category:
            return held
        words = np.array([*feature.levels, None], dtype=object)
        return np.asarray(words[np.where(np.isnan(held), -1, held).astype(np.int64)])

    def values(self, x: Float[Tensor, " row column"]) -> NDArray[np.float64]:
        """(row, feature): numbers in their original units, of categories the place of the level; NaN where empty.

        Raises:
            DataError: a column of whole numbers that holds another one.
        """
        encoded = x.detach().cpu().double().numpy()
        units = units_in(self.columns)
        found = np.full((len(encoded), len(self.features)), np.nan)
        for number, feature in enumerate(self.features):
            if feature.is_category:
                held = encoded[:, list(feature.places)]
                empty = held.max(axis=1) <= 0
                found[:, number] = np.where(empty, np.nan, held.argmax(axis=1))
                if MISSING in feature.levels:
                    found[found[:, number] == feature.levels.index(MISSING), number] = np.nan
            elif feature.places:
                numbers = units.originals(feature.places[0], encoded[:, feature.places[0]])
                empty = encoded[:, feature.mark] > 0 if feature.mark is not None else False
                found[:, number] = np.where(empty, np.nan, numbers)
                if feature.kind == "integer":
                    found[:, number] = _whole(feature.name, found[:, number], _nearly(units, feature.places[0]))
        return found

    def encoded(self, values: NDArray[np.float64]) -> Float[Tensor, " row column"]:
        """The rows as the model takes them, in float32."""
        units = units_in(self.columns)
        x = np.zeros((len(values), len(self.columns.names)), dtype=np.float32)
        for number, feature in enumerate(self.features):
            held, empty = values[:, number], np.isnan(values[:, number])
            if feature.is_category:
                level = np.where(empty, feature.levels.index(MISSING) if MISSING in feature.levels else -1, held)
                x[:, list(feature.places)] = level[:, None] == np.arange(len(feature.levels))
                continue
            for place in feature.places:
                x[:, place] = np.where(empty, 0.0, (held - units.shift[place]) / units.scale[place])
            if feature.mark is not None:
                x[:, feature.mark] = empty
        return torch.from_numpy(x)


def schema_of(
    columns: Columns | TableEncoder | Schema,
    rows: Float[Tensor, " row column"],
    *,
    units: Mapping[str, str] | None = None,
) -> Schema:
    """The schema of a table, its kinds and spreads learned from rows as the model takes them.

    A column of numbers that are all whole in the original unit is of whole numbers.

    Args:
        columns: of the rows; a schema is given back, with other words for its units where ``units`` names some.
        units: words for the units of numbers, by the name of the feature: ``{"income": "dollars"}``.

    Raises:
        DataError: rows of another table, a feature of several columns that are not one-hot, units of unknown features.
    """
    words = dict(units or {})
    found = columns.columns if isinstance(columns, TableEncoder | Schema) else columns
    check_columns(rows, found)
    for name in words:
        if name not in found.features:
            raise DataError(unknown("column", name, found.features))
    if isinstance(columns, Schema):
        facts = [FeatureFacts(**{**vars(one), "unit": words.get(one.name, one.unit)}) for one in columns.features]
        return Schema(found, tuple(facts))
    encoded = rows.detach().cpu().double().numpy()
    return Schema(found, tuple(_facts(name, encoded, found, words.get(name, "")) for name in found.features))


def given_schema(given: Any, rows: Any, encoded: Callable[[Columns], Float[Tensor, " row column"]]) -> Schema:
    """The schema itself, or what is learned of one from the training rows, which ``encoded`` gives.

    Raises:
        DataError: no schema, columns or encoder, or no rows to learn from.
    """
    if isinstance(given, Schema):
        return given
    if not isinstance(given, Columns | TableEncoder):
        raise DataError(f"the schema is {given!r}; expected Columns, an encoder or a Schema")
    if rows is None:
        what = f"the schema is a {type(given).__name__}, whose kinds and spreads are learned from rows"
        raise DataError(f"{what}; pass rows=…, training rows, or schema_of(columns, rows)")
    return schema_of(given, encoded(given.columns if isinstance(given, TableEncoder) else given))


def _facts(name: str, encoded: NDArray[np.float64], columns: Columns, unit: str) -> FeatureFacts:
    places = [place for place, feature in enumerate(columns.feature) if feature == name]
    if all(columns.one_hot[place] for place in places):
        levels = tuple(columns.names[place].removeprefix(f"{name}=") for place in places)
        return FeatureFacts(name, "category", tuple(places), levels=levels)
    marks = [place for place in places if columns.names[place] == f"{name}={MISSING}"]
    places = [place for place in places if place not in marks]
    if len(places) > 1 or len(marks) > 1:
        held = ", ".join(columns.names[place] for place in places)
        raise DataError(f"{name!r} has the columns {held}, which are not one-hot; expected one column for a number")
    mark = marks[0] if marks else None
    if not places:
        return FeatureFacts(name, "number", (), mark, unit=unit)
    known = encoded[encoded[:, mark] <= 0] if mark is not None else encoded
    numbers = units_in(columns).originals(places[0], known[:, places[0]])
    if not len(numbers):
        return FeatureFacts(name, "number", tuple(places), mark, unit=unit)
    kind: Literal["number", "integer"] = "integer" if bool((numbers == numbers.round()).all()) else "number"
    bounds = float(numbers.min()), float(numbers.max())
    spread = _spread(numbers)
    return FeatureFacts(name, kind, tuple(places), mark, (), *bounds, spread, _decimals(numbers, spread), unit)


def _nearly(units: Units, place: int) -> float:
    """How far from a whole number what float32 holds of one may be."""
    return min(0.05, 2e-5 * max(abs(units.shift[place]), abs(units.scale[place])))


def _whole(name: str, numbers: NDArray[np.float64], nearly: float) -> NDArray[np.float64]:
    whole = np.round(numbers)
    away = np.flatnonzero(np.abs(numbers - whole) > nearly)
    if len(away):
        found = f"{name!r} holds {numbers[away[0]]:g} in row {away[0]}"
        raise DataError(
            f"{found}; expected whole numbers, as in rows: learn the schema from rows that hold such numbers"
        )
    return whole


def _spread(numbers: NDArray[np.float64]) -> float:
    away = np.abs(numbers - np.median(numbers))
    return float(np.median(away)) or float(away.mean()) or 1.0


def _decimals(numbers: NDArray[np.float64], spread: float) -> int:
    """How many decimals the numbers have, and at most so many that a step is a ten-thousandth of their spread."""
    enough = max(0, 4 - math.floor(math.log10(spread)))
    exact = (number for number in range(enough) if np.allclose(numbers, np.round(numbers, number), rtol=0, atol=1e-9))
    return next(exact, enough)
