"""Fidelity: how well a surrogate follows its model."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from corrigible.errors import RecipeError

Numbers = NDArray[np.float64]
Candidate = TypeVar("Candidate")


def require_growth_of(wanted: float, *, fewest: int, **most: int) -> None:
    """Raises RecipeError for a fidelity above 1, or too few parts for a surrogate."""
    if not wanted <= 1:
        raise RecipeError(f"fidelity is {wanted}; expected at most 1")
    for name, number in most.items():
        if number < fewest:
            raise RecipeError(f"{name} is {number}; expected at least {fewest}")


@dataclass(frozen=True)
class Fidelity:
    """How well a surrogate follows its model on held-out points; around a row, near points have more weight."""

    measure: Literal["r2", "agreement"]
    """``r2``: share of the score's variance explained; ``agreement``: share of points with the same predicted class."""
    value: float
    """At most 1; r2 is below 0 if a constant would be better."""
    constant: float
    """The value of the best constant: 0 for r2, the share of the most common class for agreement."""
    wanted: float
    num_points: int
    num_effective: float
    """(Σ weight)² / Σ weight²: the number of equally weighted points that would give as much information."""

    @property
    def is_reached(self) -> bool:
        """Whether the value is at least the wanted one."""
        return self.value >= self.wanted

    def __str__(self) -> str:
        name = "R²" if self.measure == "r2" else "same class"
        verdict = "reached" if self.is_reached else "not reached"
        constant = "" if self.measure == "r2" else f"; a constant: {self.constant:.3f}"
        found = f"{name} {self.value:.3f} on {self.num_points} held-out points"
        if round(self.num_effective) < self.num_points:
            found += f" that tell as much as {self.num_effective:.0f}"
        return f"{found} (wanted {self.wanted:g}: {verdict}{constant})"


def faithful_of(candidates: Iterable[Candidate], judged: Callable[[Candidate], float], wanted: float) -> Candidate:
    """The first candidate that is as faithful as wanted; if none is, the first of the most faithful."""
    candidates = iter(candidates)
    best = next(candidates)
    best_value = judged(best)
    while best_value < wanted:
        candidate = next(candidates, None)
        if candidate is None:
            break
        value = judged(candidate)
        if value > best_value:
            best, best_value = candidate, value
    return best


def effective_number_of(weight: Numbers) -> float:
    """The effective number of points, (Σ weight)² / Σ weight² (Kish 1965, Survey sampling)."""
    return float(weight.sum() ** 2 / np.square(weight).sum())


def r2_of(predicted: Numbers, score: Numbers, weight: Numbers) -> float:
    """1 minus squared error over variance; if all scores are equal, 1 if the prediction equals them, otherwise 0."""
    error = float(weight @ np.square(score - predicted))
    variance = float(weight @ np.square(score - weight @ score))
    # Equal scores still differ by rounding.
    negligible = 1e-12 * float(weight @ np.square(score)) + 1e-24
    if variance <= negligible:
        return float(error <= negligible)
    return 1 - error / variance


def agreement_of(predicted: NDArray[np.int64], actual: NDArray[np.int64], weight: Numbers) -> float:
    """Weighted share of points with the same class."""
    return float(weight @ (predicted == actual))


def commonest_of(actual: NDArray[np.int64], weight: Numbers) -> float:
    """Weighted share of the most common class."""
    return float(np.bincount(actual, weights=weight).max())
