"""The same search as a mixed-integer program, solved by HiGHS: a second way to an answer, and to its proof.

After Parmentier and Vidal 2021, Optimal counterfactual explanations in tree ensembles. Each feature takes one choice,
each tree one leaf; the leaves of a tree whose conditions on a feature lie within a set of choices hold together at most
what the set does. Only the choices need to be whole numbers.
"""

import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from corrigible.explanations.counterfactuals.trees_found import GAIN, Asking, Found
from corrigible.explanations.counterfactuals.trees_problem import Problem

Floats = NDArray[np.float64]
ROUNDED = 1e-6
"""What HiGHS takes for whole, and by how much it may miss a bound."""


def programmed(problem: Problem, asking: Asking, *, known: Found, until: float) -> Found:
    """The cheapest point that answers as wanted, and a bound of the costs of all. Relations are not looked at.

    A point that the solver takes for one, but the model does not, is cut off, and the program solved again.

    Args:
        known: a point that is known to answer as wanted, or none.
        until: when to stop, as `time.monotonic` counts.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp  # Here, because few need it.
    from scipy.sparse import coo_array

    rows = list(_rows(problem, known.cost))
    num_choices, num_leaves = len(problem.cost), problem.weight.shape[1]
    cost = np.append(problem.cost, np.zeros(num_leaves))
    whole = np.append(np.ones(num_choices), np.zeros(num_leaves))
    while True:
        at = np.repeat(np.arange(len(rows)), [len(row[0]) for row in rows])
        columns, factors = (np.concatenate([row[part] for row in rows]) for part in (0, 1))
        matrix = coo_array((factors, (at, columns)), shape=(len(rows), len(cost))).tocsr()
        within = LinearConstraint(matrix, *np.array([row[2] for row in rows]).T)
        options = {"time_limit": max(until - time.monotonic(), 0.01), "mip_rel_gap": 0.0}
        found = milp(cost, integrality=whole, bounds=Bounds(0, 1), constraints=within, options=options)
        if found.status == 2:
            return Found(known.chosen, known.cost, known.cost)
        bound = -np.inf if found.mip_dual_bound is None else float(found.mip_dual_bound)
        if found.x is None:
            return Found(known.chosen, known.cost, min(bound, known.cost))
        chosen = problem.cheapest(found.x[None, :num_choices] > 0.5)[0]
        total = float(problem.cost[chosen].sum())
        beyond = problem.most(problem.point(chosen[None]))[0]
        point = Found(problem.origin[chosen], total, total if bound >= total - ROUNDED else bound)
        if (beyond > problem.tie).all() or ((beyond >= -problem.tie).all() and asking.answers(point)):
            return point if total < known.cost - GAIN else Found(known.chosen, known.cost, min(point.bound, known.cost))
        if time.monotonic() > until:
            return Found(known.chosen, known.cost, min(bound, known.cost))
        rows.append((chosen, np.ones(len(chosen)), (-np.inf, len(chosen) - 1.0)))


Row = tuple[NDArray[np.int64], Floats, tuple[float, float]]
"""Columns and their factors, and between what their sum lies. Columns are the choices, then the leaves."""


def _rows(problem: Problem, budget: float) -> Iterator[Row]:
    choices, leaves = np.arange(len(problem.cost)), len(problem.cost) + np.arange(problem.weight.shape[1])
    for one in np.split(choices, problem.start[1:]):
        yield one, np.ones(len(one)), (1.0, 1.0)
    for one in np.split(leaves, problem.tree_start[1:]):
        yield one, np.ones(len(one)), (1.0, 1.0)
    for weight, needed in zip(problem.weight, problem.needed, strict=True):
        size = max(float(np.abs(weight).max()), 1e-12)
        yield leaves, weight / size, (float(np.clip(needed / size, -1e9, 1e9)), np.inf)
    if problem.most_changes is not None:
        yield problem.start, np.ones(problem.num_features), (problem.num_features - problem.most_changes, np.inf)
    if np.isfinite(budget):
        yield choices, problem.cost, (-np.inf, budget)
    for tree in np.split(leaves, problem.tree_start[1:]):
        yield from _of_tree(problem, tree)


def _of_tree(problem: Problem, leaves: NDArray[np.int64]) -> Iterator[Row]:
    """For each set of choices that a leaf asks for: the leaves that lie within it, and the set."""
    asked = problem.asked[leaves - len(problem.cost)]
    conditions = np.setdiff1d(asked, [problem.meets.shape[1]])
    met = problem.meets[:, conditions] > 0
    owner = problem.owner[met.argmax(axis=0)] if len(conditions) else np.zeros(0)
    for place in range(len(conditions)):
        same = np.flatnonzero(owner == owner[place])
        inside = same[~(met[:, same] & ~met[:, [place]]).any(axis=0)]
        within = leaves[np.isin(asked, conditions[inside]).any(axis=1)]
        some = np.flatnonzero(met[:, place])
        yield np.append(within, some), np.append(np.ones(len(within)), -np.ones(len(some))), (-np.inf, 0.0)
