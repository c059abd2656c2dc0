"""What follows from a change along a graph of causes, by additive noise models.

Each child is f(causes) + noise (Hoyer et al. 2009, nonlinear causal discovery with additive noise models); the noise of
a row stays when its causes change (Pearl 2009, Causality, section 7.1). f is a sum of one function per cause, linear
between the quintiles of a number and free for each level of a category, by ridge regression. A category that is a
child has a noise for each of its levels, see `effects_on_levels`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from corrigible.data.causes import Causes
from corrigible.errors import DataError
from corrigible.explanations.counterfactuals.effects_on_levels import held_levels, learned_logits
from corrigible.explanations.counterfactuals.schema import Schema

RIDGE = 1e-3
"""Of the variance of each regressor."""
QUINTILES = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class _Function:
    """A child as a function of its causes."""

    child: int
    causes: tuple[int, ...]
    knots: tuple[NDArray[np.float64], ...]
    """Of each cause where its slope may change; for a category its levels, each with a mean of its own."""
    is_category: tuple[bool, ...]
    middle: NDArray[np.float64]
    """Of each cause, what stands for an empty cell."""
    slopes: NDArray[np.float64]
    """Of each regressor; of a category that is the child for each of its ``levels``, with an intercept as the last."""
    levels: NDArray[np.int64] | None = None
    """Of a category that is the child, the places of those of its levels that rows hold."""

    def follow(
        self,
        before: Float[np.ndarray, " row feature"],
        after: Float[np.ndarray, " row feature"],
        decimals: int,
    ) -> Float[np.ndarray, " row"]:
        """What the child becomes where its causes become others and the noise stays; what is empty stays empty."""
        held, regressors = before[:, self.child], (self.regressors(before), self.regressors(after))
        if self.levels is None:
            return np.asarray(np.round(held + (regressors[1] - regressors[0]) @ self.slopes, decimals))
        found, known = held.copy(), np.isin(held, self.levels)
        logits = [part[known] @ self.slopes[:-1] + self.slopes[-1] for part in regressors]
        place = np.searchsorted(self.levels, held[known].astype(np.int64))
        found[known] = self.levels[held_levels(logits[0], logits[1], place)]
        return found

    def regressors(self, values: Float[np.ndarray, " row feature"]) -> Float[np.ndarray, " row regressor"]:
        parts = []
        for number, place in enumerate(self.causes):
            held, knots = values[:, place], self.knots[number]
            held = np.where(np.isnan(held), self.middle[number], held)[:, None]
            bent = np.concatenate([held, np.maximum(held - knots, 0)], axis=1)
            parts.append((held == knots).astype(np.float64) if self.is_category[number] else bent)
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True)
class Effects:
    """What changes of features bring about in others, in the order in which they follow."""

    schema: Schema
    functions: tuple[_Function, ...] = ()

    def follow(
        self, changed: Float[np.ndarray, " row feature"], before: Float[np.ndarray, " row feature"]
    ) -> Float[np.ndarray, " row feature"]:
        """The rows after all that the changes cause; what was changed itself stays as it was set, empty cells empty."""
        found = changed.copy()
        acted = (changed != before) & ~(np.isnan(changed) & np.isnan(before))
        for function in self.functions:
            moved = (found[:, function.causes] != before[:, function.causes]) & ~np.isnan(before[:, function.causes])
            rows = moved.any(axis=1) & ~acted[:, function.child]
            if rows.any():
                decimals = self.schema.features[function.child].decimals
                found[rows, function.child] = function.follow(before[rows], found[rows], decimals)
        return found


def effects_of(causes: Causes, schema: Schema, rows: Float[np.ndarray, " row feature"] | None) -> Effects:
    """The effects along the graph, learned from the values of rows.

    Raises:
        DataError: no rows, or rows that hold nothing of a child or cause, or one level alone of a category.
    """
    children = [name for name in _in_order(causes) if causes[name]]
    if not children:
        return Effects(schema)
    if rows is None:
        raise DataError("Causal learns its effects from rows, and there are none; pass rows=…, training rows")
    return Effects(schema, tuple(_learned(name, causes[name], schema, rows) for name in children))


def _in_order(causes: Causes) -> list[str]:
    """The children, each after its own causes."""
    return [name for name in TopologicalSorter(causes).static_order() if name in causes]


def _learned(child: str, causes: Sequence[str], schema: Schema, rows: NDArray[np.float64]) -> _Function:
    at, places = schema.place(child), tuple(schema.place(name) for name in causes)
    is_category = tuple(schema.features[place].is_category for place in places)
    held = [rows[:, place][~np.isnan(rows[:, place])] for place in places]
    if not all(map(len, held)) or np.isnan(rows[:, at]).all():
        raise DataError(f"{child!r} or a cause of it is empty in all rows, and no effect can be learned")
    knots = tuple(
        np.unique(values) if of_levels else np.unique(np.quantile(values, QUINTILES))
        for values, of_levels in zip(held, is_category, strict=True)
    )
    middle = np.array([np.median(values) for values in held])
    blank = _Function(at, places, knots, is_category, middle, np.zeros(0))
    known = ~np.isnan(rows[:, at])
    x, y = blank.regressors(rows[known]), rows[known, at]
    if schema[child].is_category:
        levels, place = np.unique(y.astype(np.int64), return_inverse=True)
        if len(levels) < 2:
            raise DataError(f"{child!r} holds one value in all rows, and no effect on it can be learned: leave it out")
        return replace(blank, slopes=learned_logits(x, place, len(levels), ridge=RIDGE), levels=levels)
    return replace(blank, slopes=_ridge(x, y))


def _ridge(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """The slopes of a ridge regression."""
    centred = x - x.mean(axis=0)
    sd = np.where(centred.std(axis=0) > 0, centred.std(axis=0), 1.0)
    scaled = centred / sd
    penalty = RIDGE * len(x) * np.eye(x.shape[1])
    return np.asarray(np.linalg.solve(scaled.T @ scaled + penalty, scaled.T @ (y - y.mean())) / sd)
