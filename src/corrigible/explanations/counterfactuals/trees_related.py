"""Relations between two columns of numbers in the search: whether a point keeps them, and what keeping them costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corrigible.explanations.counterfactuals.relation import Relation
from corrigible.explanations.counterfactuals.tables import NEAR, is_at_most
from corrigible.explanations.counterfactuals.trees_choices import Choices, Held

Floats = NDArray[np.float64]


class Settled(NamedTuple):
    """The cheapest numbers of some features that keep all relations."""

    cost: float
    """Of these features together; infinite where none keep them."""
    numbers: Mapping[int, float]
    """By feature, in the original unit."""


@dataclass(frozen=True)
class Related:
    """Relations of which both columns may change."""

    relations: tuple[tuple[Relation, int, int], ...]
    """Each with the features of its smaller and of its larger side."""
    held: Sequence[Held]
    choices: Sequence[Choices]
    """Of every feature that may change."""
    _kept: dict[tuple[int, ...], Settled] = field(default_factory=dict)

    @property
    def features(self) -> list[int]:
        """Those that a relation names."""
        return sorted({feature for _, *both in self.relations for feature in both})

    def hold(self, chosen: NDArray[np.int64]) -> bool:
        """Whether the cheapest numbers of the choices keep the relations; two that do not change always do."""
        numbers = {
            feature: float(np.clip(self.held[feature].original, one.low[chosen[feature]], one.high[chosen[feature]]))
            for feature, one in ((feature, self.choices[feature]) for feature in self.features)
        }
        return all(holds(relation, numbers[low], numbers[high]) for relation, low, high in self._asked(chosen))

    def settled(self, chosen: NDArray[np.int64]) -> Settled:
        """The cheapest numbers among the choices of related features that keep the relations."""
        key = tuple(int(chosen[feature]) for feature in self.features)
        if key not in self._kept:
            self._kept[key] = self._cheapest(chosen)
        return self._kept[key]

    def _asked(self, chosen: NDArray[np.int64]) -> list[tuple[Relation, int, int]]:
        return [one for one in self.relations if chosen[one[1]] or chosen[one[2]]]

    def _cheapest(self, chosen: NDArray[np.int64]) -> Settled:
        """As a program in whole steps of each feature, and the distance of each from where it was."""
        from scipy.optimize import Bounds, LinearConstraint, milp  # Here, because few need it.

        features, count = self.features, len(self.features)
        held = [self.held[feature] for feature in features]
        step, own = np.array([one.step for one in held]), np.array([one.original for one in held])
        low = np.array([self.choices[feature].low[chosen[feature]] for feature in features])
        high = np.array([self.choices[feature].high[chosen[feature]] for feature in features])
        ends = np.abs(np.stack([low, high, own]))
        largest = np.where(np.isfinite(ends), ends, 0.0).max(axis=0)
        rows, least = [], []
        for relation, smaller, larger in self._asked(chosen):
            row = np.zeros(2 * count)
            sides = zip((smaller, larger), relation.sides, (-1.0, 1.0), strict=True)
            for feature, side, sign in sides:
                row[features.index(feature)] += sign * side.times * step[features.index(feature)]
            size = (np.abs(row[:count]) * largest / step).max()
            rows.append(row)
            least.append(
                relation.sides[0].plus - relation.sides[1].plus + (2 * NEAR * size if relation.is_strict else 0)
            )
        for place in range(count):
            for sign in (-1.0, 1.0):
                row = np.zeros(2 * count)
                row[place], row[count + place] = sign, 1.0
                rows.append(row)
                least.append(sign * own[place] / step[place])
        cost = np.append(np.zeros(count), step / np.array([one.feature.mad for one in held]))
        # A number that stays as it is need not be on the grid.
        bounds = Bounds(np.append(low / step, np.zeros(count)), np.append(high / step, np.full(count, np.inf)))
        whole = np.append((chosen[features] > 0).astype(np.int64), np.zeros(count))
        found = milp(cost, integrality=whole, bounds=bounds, constraints=LinearConstraint(np.array(rows), least))
        if found.x is None:
            return Settled(np.inf, {})
        moved = [one.on_grid(np.array([steps]))[0] for one, steps in zip(held, found.x, strict=False)]
        numbers = np.where(chosen[features] > 0, np.array(moved, dtype=np.float64), own)
        total = np.abs(numbers - own) / np.array([one.feature.mad for one in held])
        return Settled(float(total.sum()), dict(zip(features, numbers.tolist(), strict=True)))


def holds(relation: Relation, low: float, high: float) -> bool:
    """Whether a relation holds between the numbers of its smaller and its larger side."""
    sides = [
        np.array([side.times * number + side.plus]) for side, number in zip(relation.sides, (low, high), strict=True)
    ]
    return bool(~is_at_most(sides[1], sides[0])[0] if relation.is_strict else is_at_most(*sides)[0])
