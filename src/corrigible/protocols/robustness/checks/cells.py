"""Checks of single cells: what training never held there, and numbers beyond its range."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from corrigible.explanations.counterfactuals.schema import Schema
from corrigible.protocols.robustness.checks.seen import Seen, written


@dataclass(frozen=True)
class Unread:
    """Cells that training never held: no known level, an empty cell in a column that had none, no finite number."""

    schema: Schema
    known: tuple[Bool[np.ndarray, " _"], ...]
    """Of each category which levels training rows have; of a number whether some of its cells are empty."""
    name: str = "unread"

    def of_features(self, rows: Seen) -> Bool[np.ndarray, " row feature"]:
        """Where such cells are."""
        found = rows.unread.copy()
        for place, (feature, known) in enumerate(zip(self.schema.features, self.known, strict=True)):
            held, blank = rows.values[:, place], np.isnan(rows.values[:, place])
            if feature.is_category:
                found[:, place] |= ~blank & ~known[np.nan_to_num(held).astype(np.int64)]
            elif feature.places:
                found[:, place] |= blank & ~known[0]
        return np.asarray(found)

    def scores(self, rows: Seen) -> Float[np.ndarray, " row"]:
        """The number of such cells."""
        return np.asarray(self.of_features(rows).sum(axis=1), dtype=np.float64)

    def words(self, rows: Seen, row: int) -> str:
        """Which columns they are in."""
        is_so = self.of_features(rows.at(np.array([row])))[0]
        names = [name for name, so in zip(self.schema.names, is_so, strict=True) if so]
        return f"{', '.join(names)}: empty, or a value that training lacks"


def unread(rows: Seen, schema: Schema) -> Unread:
    """What the rows hold."""
    found = []
    for place, feature in enumerate(schema.features):
        held = rows.values[:, place]
        levels = held[~np.isnan(held)].astype(np.int64)
        of_levels = np.bincount(levels, minlength=len(feature.levels)) > 0 if feature.is_category else None
        found.append(np.array([np.isnan(held).any()]) if of_levels is None else of_levels)
    return Unread(schema, tuple(found))


@dataclass(frozen=True)
class Beyond:
    """Numbers beyond the range of training rows, or with a fraction where training rows have whole numbers."""

    schema: Schema
    low: Float[np.ndarray, " feature"]
    high: Float[np.ndarray, " feature"]
    spread: Float[np.ndarray, " feature"]
    name: str = "range"

    def of_features(self, rows: Seen) -> Float[np.ndarray, " row feature"]:
        """By how many spreads each number is beyond the range; a fraction counts as one."""
        away = np.maximum(self.low - rows.values, rows.values - self.high) / self.spread
        found = np.maximum(np.nan_to_num(away), 0.0)
        for place, feature in enumerate(self.schema.features):
            if feature.kind == "integer":
                held = np.nan_to_num(rows.values[:, place])
                nearly = np.maximum(0.05, 1e-5 * np.abs(held))  # What float32 tells of large numbers.
                found[:, place] += np.abs(held - np.round(held)) > nearly
        return np.asarray(found)

    def scores(self, rows: Seen) -> Float[np.ndarray, " row"]:
        """That of the farthest number."""
        return np.asarray(self.of_features(rows).max(axis=1))

    def words(self, rows: Seen, row: int) -> str:
        """The farthest number and the range."""
        place = int(self.of_features(rows)[row].argmax())
        feature = self.schema.features[place]
        ends = f"{written(feature, self.low[place])} to {written(feature, self.high[place])}"
        whole = ", whole numbers" if feature.kind == "integer" else ""
        return f"{feature.name} is {written(feature, rows.values[row, place])}; training has {ends}{whole}"


def beyond(rows: Seen, schema: Schema) -> Beyond:
    """The ranges of the rows; of categories and empty columns none."""
    low, high, spread = (np.full(len(schema.features), of) for of in (-np.inf, np.inf, 1.0))
    for place, feature in enumerate(schema.features):
        held = rows.values[:, place][~np.isnan(rows.values[:, place])]
        if not feature.is_category and len(held):
            low[place], high[place], spread[place] = held.min(), held.max(), feature.mad
    return Beyond(schema, low, high, spread)
