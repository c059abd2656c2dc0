"""How well scores tell an attribute of rows: the area under the curve, or R², each with its interval over the rows."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corrigible.auditing.columns import Numbers
from corrigible.auditing.outcomes import Outcome
from corrigible.figures import number
from corrigible.intervals import ENDS

NUM_RESAMPLES = 200


class Told(NamedTuple):
    """How well something tells an attribute."""

    measure: str
    """AUC, 0.5 for nothing and 1 for all; of several classes the mean of each against the others. R², 0 or less for
    nothing and 1 for all, for amounts."""
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.measure} {number(self.value)} ({number(self.low)} to {number(self.high)})"


def told(outcome: Outcome, predicted: Numbers, seed: int) -> Told:
    """How well the predictions, (row, part), tell the outcome, with a 95 % percentile interval over the rows."""
    rng, count = np.random.default_rng(seed), len(predicted)
    resamples = [np.bincount(rng.integers(count, size=count), minlength=count) for _ in range(NUM_RESAMPLES)]
    ones = np.ones(count, dtype=np.int64)
    if outcome.is_classes:
        pairs = zip(outcome.z.T, predicted.T, strict=True)
        areas = [_Area(part == 1, scores) for part, scores in pairs if 0 < part.mean() < 1]
        value, *draws = (_mean([area.weighted(w) for area in areas]) for w in (ones, *resamples))
    else:
        value, *draws = (_explained(outcome.z, predicted, w) for w in (ones, *resamples))
    defined = [draw for draw in draws if np.isfinite(draw)]
    low, high = np.quantile(defined, ENDS) if defined else (np.nan, np.nan)
    return Told("AUC" if outcome.is_classes else "R²", value, float(low), float(high))


def _mean(areas: list[float]) -> float:
    """The mean of those that are defined."""
    defined = [area for area in areas if np.isfinite(area)]
    return float(np.mean(defined)) if defined else float("nan")


class _Area:
    """The chance that a row of the class has the higher score than one of another; ties count half."""

    def __init__(self, is_one: NDArray[np.bool_], scores: Numbers) -> None:
        self._order = scores.argsort(kind="stable")
        self._is_one = is_one[self._order]
        self._starts = np.flatnonzero(np.diff(scores[self._order], prepend=-np.inf))

    def weighted(self, weight: NDArray[np.int64]) -> float:
        """With each row counted as often as its weight says; NaN where only one side has rows."""
        counts = weight[self._order]
        ones = np.add.reduceat(counts * self._is_one, self._starts)
        zeros = np.add.reduceat(counts * ~self._is_one, self._starts)
        pairs = float(ones.sum()) * float(zeros.sum())
        return float((ones * (zeros.cumsum() - zeros / 2)).sum()) / pairs if pairs else float("nan")


def _explained(z: Numbers, predicted: Numbers, weight: NDArray[np.int64]) -> float:
    mean = (weight @ z) / weight.sum()
    return 1 - float(weight @ np.square(z - predicted).sum(axis=1)) / float(weight @ np.square(z - mean).sum(axis=1))
