"""Rows of data with a wanted answer as points to begin with, where single changes lead to none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corrigible.explanations.counterfactuals.trees_choices import Choices, Held
from corrigible.explanations.counterfactuals.trees_descent import changes_few, cheaper
from corrigible.explanations.counterfactuals.trees_grid import Splits
from corrigible.explanations.counterfactuals.trees_problem import Problem
from corrigible.explanations.counterfactuals.trees_wishes import Wanted

MOST_NEAR = 50


@dataclass(frozen=True)
class Examples:
    """Rows of data, and what the model predicts for them."""

    x: NDArray[np.float64]
    """(row, column)"""
    values: NDArray[np.float64]
    """(row, feature): in original units, of categories the place of the level; NaN where empty."""
    predicted: NDArray[Any]

    def near(self, before: NDArray[np.float64], held: Sequence[Held], features: list[int], wanted: Wanted) -> Any:
        """The places of the rows with the wanted answer that are nearest by the features that may change."""
        some = np.flatnonzero(wanted.holds(self.predicted))
        values, own = self.values[some][:, features], before[features]
        is_category = np.array([one.feature.is_category for one in held])
        mads = np.array([one.feature.mad for one in held])
        away = np.where(is_category, values != own, np.abs(np.nan_to_num(values) - own) / mads).sum(axis=1)
        return some[np.argsort(away, kind="stable")[:MOST_NEAR]]


def from_examples(
    problem: Problem,
    near: NDArray[np.float64],
    held: Sequence[Held],
    choices: Sequence[Choices],
    splits: Sequence[Splits],
) -> NDArray[np.int64] | None:
    """The cheapest point found from near rows: what of each the row may become, less what can be taken back.

    Args:
        near: rows of data as the model takes them, (row, column).
        held, choices, splits: of each feature that may change.
    """
    chosen = np.tile(problem.start, (len(near), 1))
    for number, (one, may, split) in enumerate(zip(held, choices, splits, strict=True)):
        columns = near[:, list(one.feature.places)]
        cell = columns.argmax(axis=1) if one.feature.is_category else one.cells(columns[:, 0], split)
        same = cell[:, None] == may.cell
        chosen[:, number] += np.where(same.any(axis=1), same.argmax(axis=1), 0)
    works = (problem.most(problem.point(chosen)) > problem.tie).all(axis=1) & changes_few(problem, chosen)
    found = [cheaper(problem, point) for point in chosen[np.flatnonzero(works)[:3]]]
    return min(found, key=lambda point: float(problem.cost[point].sum()), default=None)
