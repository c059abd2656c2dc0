"""Changes as points in a continuous space, in which a gradient can be followed.

A point has one coordinate for each column: for a number the change in units of the feature's spread, as it costs; for
each other level of a category how much of it stands in place of the level that the row has, from 0 to 1. So to go to
another level is 1 long, as it costs.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from corrigible.data.original_units import units_in
from corrigible.explanations.counterfactuals.space import Places, Space, Values

Points = Float[np.ndarray, " some column"]


@dataclass(frozen=True)
class Relaxed:
    """The changes of rows as points."""

    space: Space

    @cached_property
    def _unit(self) -> Float[np.ndarray, " column"]:
        """How far each column of ``x`` goes along one of its coordinate."""
        schema = self.space.schema
        scale, found = units_in(schema.columns).scale, np.zeros(len(schema.columns.names))
        for feature in schema.features:
            for place in feature.places:
                found[place] = 1.0 if feature.is_category else feature.mad / scale[place]
        return found

    @cached_property
    def _bounds(self) -> tuple[Points, Points]:
        space = self.space
        shape = len(space.before), len(space.schema.columns.names)
        low, high = np.zeros(shape), np.zeros(shape)
        for number, feature in enumerate(space.schema.features):
            free = space.can_change[:, number]
            if feature.is_category:
                own = space.before[:, number, None] == np.arange(len(feature.levels))
                ways = space.levels[number] & free[:, None]
                high[:, list(feature.places)] = np.where(ways & ~own, 1.0, 0.0)
                continue
            for place in feature.places:
                for found, end in ((low, space.low), (high, space.high)):
                    away = (end[:, number] - space.before[:, number]) / feature.mad
                    found[:, place] = np.where(free, np.nan_to_num(away), 0.0)
        return low, high

    def free(self, rows: Places) -> Bool[np.ndarray, " some column"]:
        """Which coordinates may be moved at all."""
        low, high = self._bounds
        return np.asarray(low[rows] < high[rows])

    def gradient(self, slopes: Float[np.ndarray, " some column"], rows: Places) -> Points:
        """The gradient with respect to the points, of length 1; 0 where nothing may be moved."""
        away = slopes.copy()
        for number, feature in enumerate(self.space.schema.features):
            if feature.is_category:  # A level comes in the place of the row's own.
                own = np.nan_to_num(self.space.before[rows, number]).astype(np.int64)
                of_levels = slopes[:, list(feature.places)]
                away[:, list(feature.places)] = of_levels - of_levels[np.arange(len(rows)), own][:, None]
        found = np.where(self.free(rows), away * self._unit, 0.0)
        size = np.sqrt(np.square(found).sum(axis=1, keepdims=True))
        return np.asarray(found / np.where(size > 0, size, 1.0))

    def within(self, points: Points, rows: Places, most: float) -> Points:
        """The nearest points within the bounds of each coordinate whose coordinates sum up to at most ``most``."""
        low, high = self._bounds
        found = np.clip(points, low[rows], high[rows])
        size = np.abs(found)
        falling = -np.sort(-size, axis=1)
        # Duchi et al. 2008, efficient projections onto the l1-ball: take the same from each, and stop at 0.
        taken = (falling.cumsum(axis=1) - most) / np.arange(1, size.shape[1] + 1)
        last = np.maximum((falling > taken).sum(axis=1) - 1, 0)
        less = np.maximum(taken[np.arange(len(taken)), last], 0.0)
        return np.asarray(np.sign(found) * np.maximum(size - less[:, None], 0.0))

    def changes(self, points: Points, rows: Places) -> tuple[Values, Float[np.ndarray, " some feature"]]:
        """The change that each point stands for, not repaired, and how far each feature has gone."""
        before = self.space.before[rows]
        found, gone = before.copy(), np.zeros(before.shape)
        for number, feature in enumerate(self.space.schema.features):
            if not feature.places:
                continue
            some = points[:, list(feature.places)]
            if not feature.is_category:
                gone[:, number] = np.abs(some[:, 0])
                moved = before[:, number] + some[:, 0] * feature.mad
                found[:, number] = np.where(some[:, 0] != 0, moved, before[:, number])
                continue
            gone[:, number] = some.max(axis=1)
            found[:, number] = np.where(gone[:, number] > 0, some.argmax(axis=1), before[:, number])
        return found, gone

    def columns(self, points: Points, rows: Places) -> Float[np.ndarray, " some column"]:
        """By how much each column of ``x`` differs at the points; of a category in shares of its levels."""
        found = points * self._unit
        for number, feature in enumerate(self.space.schema.features):
            if feature.is_category:
                own = np.nan_to_num(self.space.before[rows, number]).astype(np.int64)
                some = found[:, list(feature.places)]
                some[np.arange(len(rows)), own] -= some.sum(axis=1)
                found[:, list(feature.places)] = some
        return np.asarray(found)

    def drawn(self, rows: Places, most: float, rng: np.random.Generator) -> Points:
        """A point of each row at random: a few coordinates, in random shares of the cost."""
        share = rng.exponential(size=(len(rows), len(self._unit))) ** 2 * self.free(rows)
        share /= np.where((total := share.sum(axis=1, keepdims=True)) > 0, total, 1.0)
        sign = rng.choice([-1.0, 1.0], size=share.shape)
        low, high = self._bounds
        sign = np.where(low[rows] >= 0, 1.0, np.where(high[rows] <= 0, -1.0, sign))
        return self.within(sign * share * most * rng.random((len(rows), 1)) ** 0.5, rows, most)
