"""The changes of some rows that constraints allow: where each feature may go, and what it costs to go there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from corrigible.data.class_order import MISSING
from corrigible.explanations.counterfactuals.allowed import Allowed
from corrigible.explanations.counterfactuals.constraints import MaxChanges, Monotone, Range
from corrigible.explanations.counterfactuals.effects import Effects
from corrigible.explanations.counterfactuals.relation import Relation
from corrigible.explanations.counterfactuals.schema import Schema
from corrigible.explanations.counterfactuals.tables import NEAR

LEAST_GRID = 16
"""How many values of a number are tried where all are."""
Values = Float[np.ndarray, " some feature"]
Places = Int[np.ndarray, " some"]


class Cells(Mapping[str, NDArray[Any]]):
    """Values as a table in original units, a column when it is asked for."""

    def __init__(self, schema: Schema, values: NDArray[np.float64]) -> None:
        self.schema, self.values_ = schema, values

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.schema.cells(self.values_, self.schema.place(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self.schema.names)

    def __len__(self) -> int:
        return len(self.schema.names)


@dataclass(frozen=True)
class Space:
    """Rows, and the changes of them that are allowed.

    A change is the row's values with new ones where something is done; what that causes is not yet in it.
    """

    schema: Schema
    allowed: Allowed
    effects: Effects
    before: Float[np.ndarray, " row feature"]

    def after(self, changed: Values, rows: Places) -> Values:
        """The rows after the changes and all that these cause."""
        return np.asarray(self.effects.follow(changed, self.before[rows]))

    def differs(self, changed: Values, rows: Places) -> Bool[np.ndarray, " some feature"]:
        """Where the change does something."""
        before = self.before[rows]
        return np.asarray((changed != before) & ~(np.isnan(changed) & np.isnan(before)))

    def feasible(self, changed: Values, rows: Places) -> Bool[np.ndarray, " some"]:
        """Where all constraints hold."""
        most = self.allowed.most_changes
        few = np.ones(len(rows), dtype=bool) if most is None else self.differs(changed, rows).sum(axis=1) <= most
        others = [one for one in self.allowed.constraints if not isinstance(one, MaxChanges)]
        if not others or not len(rows):
            return few
        tables = Cells(self.schema, self.before[rows]), Cells(self.schema, self.after(changed, rows))
        return np.asarray(few & Allowed(tuple(others)).satisfied(*tables))

    @cached_property
    def can_change(self) -> Bool[np.ndarray, " row feature"]:
        """Which features of which rows may be changed to some other value; empty cells stay empty."""
        found = ~np.isnan(self.before)
        for place, feature in enumerate(self.schema.features):
            if feature.is_category:
                ways = self.levels[place].copy()
                known = np.flatnonzero(found[:, place])
                ways[known, self.before[known, place].astype(np.int64)] = False
                found[:, place] &= ways.any(axis=1)
            else:
                found[:, place] &= bool(feature.places) & (self.low[:, place] < self.high[:, place])
            found[:, place] &= feature.name not in self.allowed.immutable
        return np.asarray(found)

    @cached_property
    def bounds(self) -> tuple[Float[np.ndarray, " row feature"], Float[np.ndarray, " row feature"]]:
        """The smallest and largest value that each number may take: seen among the rows, or held already."""
        low, high = self.before.copy(), self.before.copy()
        for place, feature in enumerate(self.schema.features):
            if feature.is_category:
                continue
            held = self.before[:, place]
            lowest, highest = self._range(feature.name)
            up, down = (self._only(feature.name, direction) for direction in ("up", "down"))
            low[:, place] = held if up else np.fmin(held, max(feature.low, lowest))
            high[:, place] = held if down else np.fmax(held, min(feature.high, highest))
        return low, high

    @property
    def low(self) -> Float[np.ndarray, " row feature"]:
        return self.bounds[0]

    @property
    def high(self) -> Float[np.ndarray, " row feature"]:
        return self.bounds[1]

    @cached_property
    def levels(self) -> dict[int, Bool[np.ndarray, " row level"]]:
        """Of each category the levels that each row may take, its own among them."""
        found = {}
        for place, feature in enumerate(self.schema.features):
            if not feature.is_category:
                continue
            rank, held = self.rank(place), self.before[:, place]
            own = np.where(np.isnan(held), 0, held).astype(np.int64)
            ways = np.tile(np.array([level != MISSING for level in feature.levels]), (len(held), 1))
            if feature.name in self.allowed.orders:
                ways &= ~np.isnan(rank)
            for direction, sign in (("up", 1), ("down", -1)):
                if self._only(feature.name, direction):
                    ways &= sign * (rank[None] - rank[own][:, None]) >= 0
            ways[np.arange(len(held)), own] = True
            found[place] = ways
        return found

    def grid(self, rows: Places) -> Float[np.ndarray, " some way feature"]:
        """Of each category all levels, and numbers all over the range that each row may go through; NaN beyond."""
        num = max([LEAST_GRID, *(len(feature.levels) for feature in self.schema.features)])
        found = np.full((len(rows), num, len(self.schema.features)), np.nan)
        for place, feature in enumerate(self.schema.features):
            if feature.is_category:
                allowed = self.levels[place][rows]
                found[:, : len(feature.levels), place] = np.where(allowed, np.arange(len(feature.levels)), np.nan)
            elif feature.places:
                ends = self.low[rows, place], self.high[rows, place]
                found[:, :LEAST_GRID, place] = np.linspace(*ends, LEAST_GRID, axis=1)
        return found

    def rank(self, place: int) -> Float[np.ndarray, " level"]:
        """The place of each level of a category in the order that a constraint gives it; NaN where none does."""
        feature = self.schema.features[place]
        orders = [one.order for one in self.allowed.of(Monotone) if one.feature == feature.name and one.order]
        order = [str(level) for level in self.allowed.orders.get(feature.name, orders[0] if orders else ())]
        return np.array([float(order.index(level)) if level in order else np.nan for level in feature.levels])

    def clipped(self, changed: Values, rows: Places) -> Values:
        """The change with numbers within their bounds, in their decimals, and within relations where that is simple."""
        found = changed.copy()
        for place, feature in enumerate(self.schema.features):
            if feature.is_category or not feature.places:
                continue
            before = self.before[rows, place]
            moved = (found[:, place] != before) & ~np.isnan(before)
            low, high = self.low[rows, place], self.high[rows, place]
            held = self._on_grid(place, np.clip(found[:, place], low, high))
            found[:, place] = np.where(moved, self._inside(place, held, before, low, high), before)
        for relation in self.allowed.of(Relation):
            self._clip_relation(found, relation, rows)
        return found

    def cost(self, changed: Values, rows: Places) -> Float[np.ndarray, " some"]:
        """The length of the changes: the sum of `costs`."""
        return np.asarray(self.costs(changed, rows).sum(axis=1))

    def costs(self, changed: Values, rows: Places) -> Float[np.ndarray, " some feature"]:
        """Of numbers the change in units of the feature's spread, of ordered categories the steps, of others 1."""
        before = self.before[rows]
        return np.stack([self.price(at, changed[:, at], before[:, at]) for at in range(changed.shape[1])], axis=1)

    def price(self, place: int, value: NDArray[np.float64], held: NDArray[np.float64]) -> NDArray[np.float64]:
        """What it costs to change one feature from what is held to a value; 0 where either is empty."""
        feature = self.schema.features[place]
        if not feature.is_category:
            return np.asarray(np.nan_to_num(np.abs(value - held)) / feature.mad)
        found: NDArray[np.float64] = ((value != held) & ~np.isnan(value) & ~np.isnan(held)).astype(np.float64)
        rank = self.rank(place)
        if np.isnan(rank).all():
            return found
        steps = np.abs(rank[np.nan_to_num(value).astype(np.int64)] - rank[np.nan_to_num(held).astype(np.int64)])
        return np.asarray(np.where(np.isnan(steps), found, steps))

    def _on_grid(self, place: int, held: NDArray[np.float64]) -> NDArray[np.float64]:
        feature = self.schema.features[place]
        order = self.allowed.orders.get(feature.name)
        if order is not None:
            grid = np.array([float(value) for value in order])
            return np.asarray(grid[np.abs(held[:, None] - grid).argmin(axis=1)])
        return np.asarray(np.round(held, feature.decimals))

    def _inside(
        self,
        place: int,
        held: NDArray[np.float64],
        before: NDArray[np.float64],
        low: NDArray[np.float64],
        high: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Numbers that rounding moved beyond a bound, one step back; as they were before where no step is within."""
        feature = self.schema.features[place]
        if feature.name in self.allowed.orders:
            return held
        step = 10.0**-feature.decimals
        back = np.round(held + step * ((held < low).astype(np.float64) - (held > high)), feature.decimals)
        found = np.where((held < low) | (held > high), back, held)
        return np.asarray(np.where((found < low) | (found > high), before, found))

    def _clip_relation(self, found: Values, relation: Relation, rows: Places) -> None:
        """Pull a number that was changed back to where the relation holds, in place."""
        for side, other, sign in (
            (relation.sides[0], relation.sides[1], 1),
            (relation.sides[1], relation.sides[0], -1),
        ):
            place, at = self.schema.place(side.feature), self.schema.place(other.feature)
            most = (other.times * found[:, at] + other.plus - side.plus) / side.times if side.times else found[:, at]
            step = 10.0 ** -self.schema.features[place].decimals
            upper = (side.times > 0) == (sign > 0)
            edge = np.floor(most / step + NEAR) * step if upper else np.ceil(most / step - NEAR) * step
            edge = edge - (step if upper else -step) * (relation.is_strict & (np.abs(edge - most) < step / 2))
            held, before = found[:, place], self.before[rows, place]
            beyond = (held > edge if upper else held < edge) & (held != before)
            found[:, place] = np.where(beyond, np.round(edge, self.schema.features[place].decimals), held)

    def _range(self, name: str) -> tuple[float, float]:
        ranges = [one for one in self.allowed.of(Range) if one.feature == name]
        low = max((float(one.low) for one in ranges if one.low is not None), default=-np.inf)
        return low, min((float(one.high) for one in ranges if one.high is not None), default=np.inf)

    def _only(self, name: str, direction: str) -> bool:
        return any(one.feature == name and one.direction == direction for one in self.allowed.of(Monotone))
