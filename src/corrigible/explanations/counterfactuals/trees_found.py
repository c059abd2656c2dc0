"""What a search for the cheapest point found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from corrigible.explanations.counterfactuals.trees_related import Related

GAIN = 1e-9
"""A point is cheaper if it saves more than this."""


@dataclass(frozen=True)
class Found:
    """A point, and what is known of all others."""

    chosen: NDArray[np.int64] | None
    """The choice of each feature, by its place among those that the feature had at first; None for no point."""
    cost: float
    """Of the point; infinite for none."""
    bound: float
    """No point costs less, up to rounding; infinite where none answers as wanted."""
    numbers: Mapping[int, float] = field(default_factory=dict)
    """Of some features the numbers in the original unit, where they are not the cheapest of their choices."""

    @property
    def is_proven(self) -> bool:
        """Whether no point is cheaper; without a point whether it is certain that there is none."""
        return self.bound >= self.cost - GAIN


@dataclass(frozen=True)
class Asking:
    """What is asked of points beyond the sums."""

    answers: Callable[[Found], bool]
    """Whether the model answers as wanted at a point; asked where sums are too near to call."""
    related: Related | None = None
    """Relations that points must keep."""


NOTHING = Found(None, np.inf, -np.inf)
