"""What each number should be, given all other columns: a relation that is broken shows as a large difference."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from corrigible.explanations.counterfactuals.schema import Schema
from corrigible.protocols.robustness.checks.pairs import coded, sizes_of
from corrigible.protocols.robustness.checks.seen import Seen, written

RIDGE = 1e-3
"""Of each regressor's variance."""
USUAL = 0.99
"""The share of rows whose difference is usual."""
LEAST = 1e-3
"""The least usual difference, in units of the feature's spread: float32 tells no more."""


@dataclass(frozen=True)
class Expected:
    """Of each number a linear function of the other numbers, of their bins and of the levels of categories."""

    schema: Schema
    edges: tuple[Float[np.ndarray, " _"], ...]
    middle: Float[np.ndarray, " feature"]
    spread: Float[np.ndarray, " feature"]
    low: Float[np.ndarray, " feature"]
    high: Float[np.ndarray, " feature"]
    slopes: Float[np.ndarray, " regressor feature"]
    """0 for the feature's own regressors."""
    start: Float[np.ndarray, " feature"]
    usual: Float[np.ndarray, " feature"]
    """The difference that nearly all rows keep within; infinite for categories."""
    name: str = "relations"

    def values(self, rows: Seen) -> Float[np.ndarray, " row feature"]:
        """The number that each feature should hold."""
        return np.asarray(self.middle + self.spread * (self.start + regressors(rows, self) @ self.slopes))

    def of_features(self, rows: Seen) -> Float[np.ndarray, " row feature"]:
        """The difference in units of the usual one; 0 for empty cells."""
        away = np.abs(rows.values - self.values(rows)) / (self.usual * self.spread)
        return np.asarray(np.nan_to_num(away, nan=0.0, posinf=0.0))

    def scores(self, rows: Seen) -> Float[np.ndarray, " row"]:
        """That of the largest difference."""
        return np.asarray(self.of_features(rows).max(axis=1))

    def words(self, rows: Seen, row: int) -> str:
        """The number that differs most, and what the other columns would have it be."""
        one = rows.at(np.array([row]))
        place = int(self.of_features(one)[0].argmax())
        feature, expected = self.schema.features[place], float(self.values(one)[0, place])
        width = float(self.usual[place] * self.spread[place])
        held, about, within = (written(feature, number) for number in (one.values[0, place], expected, width))
        return f"{feature.name} is {held}, where the other columns say {about} ± {within}"


def expected(rows: Seen, schema: Schema, edges: tuple[np.ndarray, ...]) -> Expected | None:
    """What the rows teach of each number; None where there is no number, or one column only."""
    numbers = [place for place, f in enumerate(schema.features) if not f.is_category and f.places]
    if not numbers or len(schema.features) < 2:
        return None
    count = len(schema.features)
    middle, spread, low, high = np.zeros(count), np.ones(count), np.zeros(count), np.zeros(count)
    for place in numbers:
        held = rows.values[:, place][~np.isnan(rows.values[:, place])]
        if len(held):
            middle[place], spread[place] = held.mean(), held.std() or 1.0
            low[place], high[place] = held.min(), held.max()
    blank = Expected(schema, edges, middle, spread, low, high, np.zeros((0, count)), np.zeros(count), np.ones(count))
    x, own = regressors(rows, blank), owners(schema, edges)
    slopes, start, usual = np.zeros((x.shape[1], count)), np.zeros(count), np.full(count, np.inf)
    for place in numbers:
        known = ~np.isnan(rows.values[:, place])
        if known.sum() < 2:
            continue
        y = (rows.values[known, place] - middle[place]) / spread[place]
        others = np.flatnonzero(own != place)
        found = _ridge(x[known][:, others], y)
        slopes[others, place], start[place] = found
        away = np.abs(y - start[place] - x[known][:, others] @ found[0])
        usual[place] = max(float(np.quantile(away, USUAL)), LEAST)
    return Expected(schema, edges, middle, spread, low, high, slopes, start, usual)


def regressors(rows: Seen, of: Expected) -> Float[np.ndarray, " row regressor"]:
    """The numbers within the training range, in units of their spread, and every code as 0 or 1."""
    codes = coded(rows, of.schema, of.edges)
    parts = []
    for place, size in enumerate(sizes_of(of.schema, of.edges)):
        held = np.clip(rows.values[:, place], of.low[place], of.high[place])
        scaled = (np.where(np.isnan(held), of.middle[place], held) - of.middle[place]) / of.spread[place]
        parts += [scaled[:, None], (codes[:, place, None] == np.arange(size)).astype(np.float64)]
    return np.concatenate(parts, axis=1)


def owners(schema: Schema, edges: tuple[np.ndarray, ...]) -> np.ndarray:
    """The feature that each regressor belongs to."""
    return np.concatenate([np.full(1 + size, place) for place, size in enumerate(sizes_of(schema, edges))])


def _ridge(x: Float[np.ndarray, " row regressor"], y: Float[np.ndarray, " row"]) -> tuple[np.ndarray, float]:
    centre = x.mean(axis=0)
    centred = x - centre
    penalty = RIDGE * len(x) * np.diag(np.maximum(centred.var(axis=0), 1e-6))
    slopes = np.linalg.solve(centred.T @ centred + penalty, centred.T @ (y - y.mean()))
    return slopes, float(y.mean() - centre @ slopes)
