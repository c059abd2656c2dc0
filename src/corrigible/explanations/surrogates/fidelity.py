"""How well a surrogate follows the model it stands for."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from corrigible.errors import RecipeError

Numbers = NDArray[np.float64]
Candidate = TypeVar("Candidate")


def require_growth_of(wanted: float, *, fewest: int, **most: int) -> None:
    """Raises RecipeError for a fidelity that nothing can reach, or fewer parts than a surrogate has."""
    if not wanted <= 1:
        raise RecipeError(f"fidelity is {wanted}; expected at most 1")
    for name, number in most.items():
        if number < fewest:
            raise RecipeError(f"{name} is {number}; expected at least {fewest}")


@dataclass(frozen=True)
class Fidelity:
    """On points that had no part in fitting; around a row, near points count more."""

    measure: Literal["r2", "agreement"]
    """Share of the score's variance that is explained, or of points on which the predicted class is the same."""
    value: float
    """At most 1; r2 is below 0 where a constant would do better."""
    constant: float
    """What the best constant reaches: 0 for r2, the share of the commonest class for agreement."""
    wanted: float
    num_points: int
    num_effective: float
    """(Σ weight)² / Σ weight²: so many points of equal weight would tell as much."""

    @property
    def is_reached(self) -> bool:
        """True where the value is at least the wanted one."""
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
    """The first candidate that is as faithful as wanted; where none is, the first of the most faithful."""
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
    """How many points of equal weight would tell as much: (Σ weight)² / Σ weight² (Kish 1965, Survey sampling)."""
    return float(weight.sum() ** 2 / np.square(weight).sum())


def r2_of(predicted: Numbers, score: Numbers, weight: Numbers) -> float:
    """1 less the squared error over the variance; where all scores are equal, 1 if they are met and 0 otherwise."""
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
    """Weighted share of the commonest class."""
    return float(np.bincount(actual, weights=weight).max())
