"""Sums over parts of a portfolio, on it and on resamples of its rows (Efron 1979)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from corrigible.figures import percent
from corrigible.intervals import percentile_interval, require_few, resamples


class Interval(NamedTuple):
    """A figure with its 95 % interval; the ends are NaN without resamples."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """In per cent."""
        if np.isnan(self.value):
            return "–"
        ends = "" if np.isnan(self.low) else f" ({percent(self.low)} to {percent(self.high)})"
        return f"{percent(self.value)}{ends}"


class Sums(NamedTuple):
    """Sums of several numbers, (part, number), and (resample, part, number)."""

    found: NDArray[np.float64]
    resampled: NDArray[np.float64]

    def over(self, parts: list[int]) -> "Sums":
        """The sums over several parts as those of one, (number,) and (resample, number)."""
        return Sums(self.found[parts].sum(axis=0), self.resampled[:, parts].sum(axis=1))

    def ratio(self, of: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Interval:
        """A figure of one part's sums, (…, number) -> (…,), with the interval from the resamples that define it."""
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn = of(self.resampled)
            drawn, value = drawn[np.isfinite(drawn)], float(of(self.found))
        if not len(drawn):
            return Interval(value, np.nan, np.nan)
        low, high = percentile_interval(torch.from_numpy(drawn)).tolist()
        return Interval(value, low, high)


def resampled_sums(
    numbers: NDArray[np.float64], part: NDArray[np.int64], num_parts: int, *, num_resamples: Any, seed: Any
) -> Sums:
    """The sums of each part's rows.

    Args:
        numbers: (row, number).
        part: the number of each row's part, from 0 up.

    Raises:
        RecipeError: a number of resamples that is negative or too large.
    """
    require_few(num_resamples)
    values, place = torch.from_numpy(numbers), torch.from_numpy(part)

    def sums(weighted: torch.Tensor) -> torch.Tensor:
        return torch.zeros(num_parts, numbers.shape[1], dtype=torch.float64).index_add_(0, place, weighted)

    counts = (index.bincount(minlength=len(part)) for index in resamples(len(part), num_resamples, seed))
    drawn = [sums(count.double()[:, None] * values) for count in counts]
    resampled = torch.stack(drawn) if drawn else torch.empty(0, num_parts, numbers.shape[1], dtype=torch.float64)
    return Sums(sums(values).numpy(), resampled.numpy())
