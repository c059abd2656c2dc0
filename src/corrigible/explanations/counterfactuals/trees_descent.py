"""A point to begin with: the change that brings most for its cost, again and again, then what can be taken back."""

import numpy as np
from numpy.typing import NDArray

from corrigible.explanations.counterfactuals.trees_problem import Floats, Problem

MOST_STEPS = 100


def descended(problem: Problem) -> NDArray[np.int64] | None:
    """The choice of each feature at a point that answers as wanted, which no change of one feature makes cheaper.

    None where none was found, which does not mean that there is none. Relations between features are not looked at.
    """
    chosen = problem.start.copy()
    for _ in range(MOST_STEPS):
        beyond, extra = _beyond(problem, chosen), problem.cost - problem.cost[chosen][problem.owner]
        lacking = np.maximum(2 * problem.tie[:, None] - beyond, 0).sum(axis=0)
        now = lacking[chosen[0]]
        if now <= 0:
            return cheaper(problem, chosen)
        helps = (lacking < now) & _counts(problem, chosen)
        if not helps.any():
            return None
        gain = np.where(helps, (now - lacking) / np.maximum(extra, 1e-9), -np.inf)
        best = int(np.argmax(gain))
        chosen[problem.owner[best]] = best
    return None


def cheaper(problem: Problem, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """A point that answers as wanted, made cheaper until no change of one feature saves anything."""
    while True:
        saved = problem.cost[chosen][problem.owner] - problem.cost
        works = (_beyond(problem, chosen) > problem.tie[:, None]).all(axis=0) & _counts(problem, chosen)
        best = int(np.argmax(np.where(works, saved, -np.inf)))
        if not works[best] or saved[best] <= 0:
            return chosen
        chosen[problem.owner[best]] = best


def changes_few(problem: Problem, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which points, (point, feature), change as few features as they must."""
    most = problem.num_features if problem.most_changes is None else problem.most_changes
    return np.asarray((chosen != problem.start).sum(axis=1) <= most)


def _counts(problem: Problem, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which choices may stand in the place of their feature's, by the number of features that change."""
    if problem.most_changes is None:
        return np.ones(len(problem.cost), dtype=bool)
    changed = chosen != problem.start
    others = changed.sum() - changed[problem.owner]
    return np.asarray(others + (problem.start[problem.owner] != np.arange(len(problem.cost))) <= problem.most_changes)


def _beyond(problem: Problem, chosen: NDArray[np.int64]) -> Floats:
    """What each point brings beyond what is needed that differs from the chosen one in one choice, (sum, choice)."""
    num_conditions = problem.meets.shape[1]
    met = np.ones(num_conditions + 1, dtype=bool)
    met[:-1] = (problem.meets[chosen] > 0).any(axis=0)
    broken = ~met[problem.asked]
    num_broken = broken.sum(axis=1)
    reached = num_broken == 0
    # A leaf counts for the choices of a feature where all its conditions on other features are met.
    counts = (num_broken[:, None] - broken) == 0
    feature = np.append(problem.owner[problem.meets.argmax(axis=0)] if num_conditions else [], -1).astype(np.int64)
    found = np.empty((len(problem.needed), len(problem.cost)))
    for number, weight in enumerate(problem.weight):
        spread = np.repeat(weight, problem.asked.shape[1])
        each = np.bincount(problem.asked.reshape(-1), spread * counts.reshape(-1), num_conditions + 1)
        own = np.bincount(problem.asked.reshape(-1), spread * np.repeat(reached, problem.asked.shape[1]))
        own = np.append(own, np.zeros(num_conditions + 1 - len(own)))
        taken = np.bincount(feature[:-1], own[:-1], problem.num_features)
        still = weight[reached].sum() - problem.needed[number] - taken
        found[number] = still[problem.owner] + problem.meets @ each[:-1]
    return found
