"""What follows from a change along a graph of causes, by additive noise models.

Each child is f(causes) + noise (Hoyer et al. 2009, nonlinear causal discovery with additive noise models); the noise of
a row stays when its causes change (Pearl 2009, Causality, section 7.1). f is a sum of one function per cause, linear
between the quintiles of a number and free for each level of a category, by ridge regression.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from corrigible.data.causes import Causes
from corrigible.errors import DataError
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

    def of(self, values: Float[np.ndarray, " row feature"]) -> Float[np.ndarray, " row"]:
        found: Float[np.ndarray, " row"] = self.regressors(values) @ self.slopes
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
                by = function.of(found[rows]) - function.of(before[rows])
                decimals = self.schema.features[function.child].decimals
                found[rows, function.child] = np.round(before[rows, function.child] + by, decimals)
        return found


def effects_of(causes: Causes, schema: Schema, rows: Float[np.ndarray, " row feature"] | None) -> Effects:
    """The effects along the graph, learned from the values of rows.

    Raises:
        DataError: no rows, or a category among the children, whose effect no noise can be added to.
    """
    children = [name for name in _in_order(causes) if causes[name]]
    if not children:
        return Effects(schema)
    if rows is None:
        raise DataError("Causal learns its effects from rows, and there are none; pass rows=…, training rows")
    for name in children:
        if schema[name].is_category:
            raise DataError(f"{name!r} has causes and is a category; Causal follows effects on numbers: leave it out")
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
    centred = x - x.mean(axis=0)
    sd = np.where(centred.std(axis=0) > 0, centred.std(axis=0), 1.0)
    scaled = centred / sd
    penalty = RIDGE * len(x) * np.eye(x.shape[1])
    slopes = np.linalg.solve(scaled.T @ scaled + penalty, scaled.T @ (y - y.mean())) / sd
    return replace(blank, slopes=slopes)
