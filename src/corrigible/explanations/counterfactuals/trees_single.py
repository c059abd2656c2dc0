"""The cheapest point of a single tree: each leaf that answers as wanted is looked at."""

import numpy as np

from corrigible.explanations.counterfactuals.trees_found import GAIN, Asking, Found
from corrigible.explanations.counterfactuals.trees_problem import Problem


def best_leaf(problem: Problem, asking: Asking, *, limit: float = np.inf) -> Found:
    """The cheapest point in any leaf of the only tree; exact. Relations are not looked at.

    Args:
        limit: what a point must cost less than.
    """
    cheapest = np.append(problem.meets.argmax(axis=0), 0).astype(np.int64)
    is_met = np.append(problem.meets.any(axis=0), True)
    extra = np.append(problem.cost[cheapest[:-1]], 0.0)
    cost = np.where(is_met[problem.asked].all(axis=1), extra[problem.asked].sum(axis=1), np.inf)
    if problem.most_changes is not None:
        changes = np.append(cheapest[:-1] != problem.start[problem.owner[cheapest[:-1]]], False)
        cost = np.where(changes[problem.asked].sum(axis=1) <= problem.most_changes, cost, np.inf)
    beyond = problem.weight - problem.needed[:, None]
    cost = np.where((beyond >= -problem.tie[:, None]).all(axis=0), cost, np.inf)
    for leaf in np.argsort(cost, kind="stable"):
        if cost[leaf] >= limit - GAIN or not np.isfinite(cost[leaf]):
            break
        chosen = problem.start.copy()
        asked = problem.asked[leaf][problem.asked[leaf] < len(is_met) - 1]
        chosen[problem.owner[cheapest[asked]]] = cheapest[asked]
        point = Found(problem.origin[chosen], float(cost[leaf]), float(cost[leaf]))
        if (beyond[:, leaf] > problem.tie).all() or asking.answers(point):
            return point
    return Found(None, limit, limit)
