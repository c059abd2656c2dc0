"""What one row may change to: for each cell of a feature the nearest allowed value, and what it costs.

Numbers keep the decimals of their column. The cost of a number is how far it moves, in its original unit, over the
feature's `mad`; a category costs 1, or the number of steps where a constraint gives its levels an order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corrigible.data.class_order import MISSING
from corrigible.data.original_units import Units
from corrigible.explanations.counterfactuals.allowed import Allowed
from corrigible.explanations.counterfactuals.constraints import Monotone, Ordinal, Range
from corrigible.explanations.counterfactuals.schema import FeatureFacts
from corrigible.explanations.counterfactuals.tables import NEAR
from corrigible.explanations.counterfactuals.trees_grid import Splits

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Choices:
    """The cells that a feature of a row may move to: the row's own value first, then from low cost to high."""

    cell: NDArray[np.int64]
    value: Floats
    """The cheapest value of each choice, as the model takes it; of a category the place of the level."""
    cost: Floats
    low: Floats
    """The least value of each choice that is allowed, in the original unit."""
    high: Floats


@dataclass(frozen=True)
class Held:
    """One feature of one row: what it is, what it holds, and how its column is encoded."""

    feature: FeatureFacts
    value: float
    """As the model takes it; of a category the place of its level."""
    units: Units
    precision: type[np.floating[Any]]

    @property
    def step(self) -> float:
        """Between the numbers that the feature may hold, in the original unit."""
        return 10.0**-self.feature.decimals

    @cached_property
    def original(self) -> float:
        """The number in its original unit, with the feature's decimals."""
        return float(np.round(self.in_units(np.array([self.value]))[0], self.feature.decimals))

    def on_grid(self, steps: Floats) -> Floats:
        """The number of so many steps."""
        return np.asarray(np.round(steps / 10.0**self.feature.decimals, self.feature.decimals))

    @property
    def scale(self) -> float:
        return self.units.scale[self.feature.places[0]]

    def in_units(self, encoded: Floats) -> Floats:
        """Encoded numbers in the original unit."""
        return np.asarray(self.units.shift[self.feature.places[0]] + self.scale * encoded)

    def encoded(self, original: Floats) -> Floats:
        """Numbers in the original unit, as the model takes them; one that is the row's own stays as it is."""
        found = (original - self.units.shift[self.feature.places[0]]) / self.scale
        return np.where(original == self.original, self.value, found.astype(self.precision).astype(np.float64))

    def cells(self, encoded: Floats, splits: Splits) -> NDArray[np.int64]:
        """The cell of each encoded number."""
        rounded = encoded.astype(self.precision).astype(np.float64)
        return np.searchsorted(splits.thresholds, rounded).astype(np.int64)


def choices_of(
    held: Held,
    splits: Splits,
    allowed: Allowed,
    limits: tuple[float, float] | None = None,
    *,
    apart: bool = False,
) -> Choices:
    """The cells that a feature may move to under the constraints that name it alone.

    Args:
        limits: between what else a number must be, in its original unit.
        apart: also other values of the row's own cell, which are changes that the model does not notice.
    """
    if held.feature.is_category:
        return _levels(held, allowed)
    bounds = _bounds(held, allowed, limits or (-np.inf, np.inf))
    if held.feature.name in allowed.orders:
        return _listed(held, splits, allowed, bounds)
    cell, low, high = _intervals(held, splits, apart=apart)
    low, high = np.maximum(low, bounds[0]), np.minimum(high, bounds[1])
    original = np.clip(held.original, low, high)
    cost = np.where(low <= high, np.abs(original - held.original) / held.feature.mad, np.inf)
    return _with_own(Choices(cell, held.encoded(original), cost, low, high), held, splits)


def _levels(held: Held, allowed: Allowed) -> Choices:
    """Levels of a category; none becomes an empty cell."""
    levels, own = held.feature.levels, int(held.value)
    place, cost = np.arange(len(levels)), np.array([np.inf if level == MISSING else 1.0 for level in levels])
    about = [one for one in allowed.about(held.feature.name) if isinstance(one, Monotone | Ordinal)]
    for one in about:
        rank = np.array([_rank(level, one.order) for level in levels])
        steps = np.abs(rank - rank[own])
        cost = np.where(np.isfinite(cost) & np.isfinite(steps), steps, cost)
        if isinstance(one, Ordinal):
            cost = np.where(np.isfinite(rank), cost, np.inf)
        else:
            cost = np.where(rank > rank[own] if one.direction == "up" else rank < rank[own], cost, np.inf)
    others = Choices(place, place.astype(np.float64), cost, place.astype(np.float64), place.astype(np.float64))
    return _with_own(Choices(*(part[place != own] for part in vars(others).values())), held, None)


def _listed(held: Held, splits: Splits, allowed: Allowed, bounds: tuple[float, float]) -> Choices:
    """A number that moves to listed values only."""
    listed = np.array(allowed.orders[held.feature.name], dtype=np.float64)
    is_own = np.isclose(listed, held.original, rtol=NEAR, atol=0.0)
    ahead = np.arange(len(listed)) - (float(np.argmax(is_own)) if is_own.any() else np.nan)
    cost = np.abs(listed - held.original) / held.feature.mad
    cost = np.where((bounds[0] <= listed) & (listed <= bounds[1]) & ~is_own, cost, np.inf)
    for one in allowed.about(held.feature.name):
        if isinstance(one, Monotone):
            cost = np.where(ahead > 0 if one.direction == "up" else ahead < 0, cost, np.inf)
    value = held.encoded(listed)
    return _with_own(Choices(held.cells(value, splits), value, cost, listed, listed), held, splits)


def _rank(level: str, order: Sequence[str | float | int]) -> float:
    texts = [str(value) for value in order]
    return float(texts.index(level)) if level in texts else np.nan


def _bounds(held: Held, allowed: Allowed, limits: tuple[float, float]) -> tuple[float, float]:
    """The least and the largest number that a changed one may be, in the original unit."""
    low, high = limits
    for one in allowed.about(held.feature.name):
        if isinstance(one, Range):
            low = max(low, -np.inf if one.low is None else one.low)
            high = min(high, np.inf if one.high is None else one.high)
        if isinstance(one, Monotone) and not one.order:
            low = max(low, held.original) if one.direction == "up" else low
            high = min(high, held.original) if one.direction == "down" else high
    steps = np.array([low, high]) / held.step
    low, high = held.on_grid(np.array([np.ceil(steps[0] - NEAR), np.floor(steps[1] + NEAR)]))
    return float(low), float(high)


def _intervals(held: Held, splits: Splits, *, apart: bool) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Cells with the least and largest number that they hold, in the original unit; none where the least is larger.

    The row's own cell is left out, or stands there twice: for the numbers below the row's own and for those above.
    """
    largest = splits.thresholds.astype(held.precision)
    largest = np.where(largest > splits.thresholds, np.nextafter(largest, held.precision(-np.inf)), largest)
    least = np.nextafter(largest, held.precision(np.inf))
    cell, own = np.arange(splits.num_cells), int(held.cells(np.array([held.value]), splits)[0])
    low = np.append(-np.inf, _first_in(held, splits, cell[1:], least.astype(np.float64), up=True))
    high = np.append(_first_in(held, splits, cell[:-1], largest.astype(np.float64), up=False), np.inf)
    other = cell != own
    if not apart:
        return cell[other], low[other], high[other]
    near = held.original / held.step
    before, after = held.on_grid(np.array([np.ceil(near - NEAR) - 1, np.floor(near + NEAR) + 1]))
    return (
        np.append(cell[other], [own, own]),
        np.append(low[other], [low[own], after]),
        np.append(high[other], [before, high[own]]),
    )


def _first_in(held: Held, splits: Splits, cell: NDArray[np.int64], end: Floats, *, up: bool) -> Floats:
    """The first number on the grid from the end of a cell inwards, which is encoded; by what the model makes of it."""
    sign = 1.0 if up else -1.0
    at, slack = (
        sign * held.in_units(end) / held.step,
        np.spacing(np.abs(end).astype(held.precision)) * held.scale / held.step,
    )
    found = np.full(len(cell), np.nan)
    for steps in (np.ceil(at - slack), np.ceil(at), np.ceil(at) + 1):
        number = held.on_grid(sign * steps)
        outside = sign * (held.cells(held.encoded(number), splits) - cell) < 0
        found = np.where(np.isnan(found) & ~outside, number, found)
    return np.where(np.isnan(found), sign * np.inf, found)


def _with_own(others: Choices, held: Held, splits: Splits | None) -> Choices:
    """The row's own value first, then the others that are possible, the cheapest first."""
    mine = np.array([held.value])
    cell = mine.astype(np.int64) if splits is None else held.cells(mine, splits)
    original = mine if splits is None else np.array([held.original])
    order = np.argsort(others.cost, kind="stable")
    order = order[np.isfinite(others.cost[order])]
    own = (cell, mine, np.zeros(1), original, original)
    return Choices(*(np.append(first, part[order]) for first, part in zip(own, vars(others).values(), strict=True)))
