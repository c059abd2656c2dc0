"""Branch and bound over the choices of a row, the cheapest sets first; exact.

Land and Doig 1960, An automatic method of solving discrete programming problems, with the bound of Chen, Zhang, Si, Li,
Boning and Hsieh 2019, Robustness verification of tree-based models: the sum of the best reachable leaf of each tree. A
set of choices costs at least its cheapest point. If that point does not answer as wanted, the set is split: one feature
keeps its cheapest choice, or it does not. Which one, a product says, as in Achterberg, Koch and Martin 2005, Branching
rules revisited.
"""

import heapq
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from corrigible.explanations.counterfactuals.trees_found import GAIN, Asking, Found
from corrigible.explanations.counterfactuals.trees_problem import Bools, Problem

MOST_SETS_AT_ONCE = 32
EVEN = 1e-3
"""What both parts of a product are raised by, so that none decides alone where it is 0."""


def branched(problem: Problem, asking: Asking, *, known: Found, until: float) -> Found:
    """The cheapest point that answers as wanted, and a bound of the costs of all.

    Args:
        known: a point that is known to answer as wanted, or none.
        until: when to stop, as `time.monotonic` counts.
    """
    waiting: list[tuple[float, int, bytes]] = []
    best, number = known, 0
    fresh = np.ones((1, len(problem.cost)), dtype=bool)
    while True:
        for low, is_open in _affordable(problem, fresh, best.cost):
            number += 1
            heapq.heappush(waiting, (low, -number, np.packbits(is_open).tobytes()))
        if not waiting or waiting[0][0] >= best.cost - GAIN:
            return replace(best, bound=best.cost)
        if time.monotonic() > until:
            return replace(best, bound=min(best.cost, waiting[0][0]))
        taken = [heapq.heappop(waiting)[2] for _ in range(min(len(waiting), MOST_SETS_AT_ONCE))]
        packed = np.frombuffer(b"".join(taken), dtype=np.uint8).reshape(len(taken), -1)
        is_open = np.unpackbits(packed, axis=1, count=len(problem.cost)).astype(bool)
        best, fresh = _looked_at(problem, is_open, asking, best)


def _affordable(problem: Problem, is_open: Bools, budget: float) -> Iterator[tuple[float, Bools]]:
    """Each set that may hold a point within the budget, with what its cheapest costs."""
    is_open = is_open[np.add.reduceat(is_open, problem.start, axis=1, dtype=np.int64).all(axis=1)]
    low = problem.cost[problem.cheapest(is_open)].sum(axis=1)
    for one, cost in zip(is_open, low.tolist(), strict=True):
        if cost < budget - GAIN:
            yield cost, one


def _looked_at(problem: Problem, is_open: Bools, asking: Asking, best: Found) -> tuple[Found, Bools]:
    """The best point when the cheapest of each set is known, and the sets that are left."""
    is_open = _narrowed(problem, is_open, best.cost)
    is_open = is_open[(problem.most(is_open) >= -problem.tie).all(axis=1)]
    chosen = problem.cheapest(is_open)
    cost, beyond = problem.cost[chosen].sum(axis=1), problem.most(problem.point(chosen))
    splits = np.add.reduceat(is_open, problem.start, axis=1, dtype=np.int64) > 1
    left = np.ones(len(is_open), dtype=bool)
    for place in np.flatnonzero((beyond >= -problem.tie).all(axis=1)):
        origin = problem.origin[chosen[place]]
        point = Found(origin, float(cost[place]), -np.inf)
        if asking.related and not asking.related.hold(origin):
            undecided = splits[place] & np.isin(np.arange(problem.num_features), asking.related.features)
            if undecided.any():
                splits[place] = undecided
                continue
            settled = asking.related.settled(origin)
            extra = settled.cost - problem.cost[chosen[place]][asking.related.features].sum()
            point = Found(origin, point.cost + float(extra), -np.inf, settled.numbers)
        if point.cost >= best.cost - GAIN:
            left[place] = False
        elif (beyond[place] > problem.tie).all() or asking.answers(point):
            best, left[place] = point, False
    left &= cost < best.cost - GAIN
    return best, _split(problem, is_open[left], chosen[left], splits[left])


def _narrowed(problem: Problem, is_open: Bools, budget: float) -> Bools:
    """Without choices that no point within the budget, and within the number of changes, takes."""
    chosen = problem.cheapest(is_open)
    cost = problem.cost[chosen]
    cheap = cost.sum(axis=1) < budget - GAIN
    is_open, chosen, cost = is_open[cheap], chosen[cheap], cost[cheap]
    extra = problem.cost - cost[:, problem.owner]
    is_open = is_open & (extra < (budget - cost.sum(axis=1))[:, None] - GAIN)
    if problem.most_changes is None:
        return is_open
    changed = (chosen != problem.start).sum(axis=1)
    own = np.zeros(len(problem.cost), dtype=bool)
    own[problem.start] = True
    full, fixed = changed >= problem.most_changes, own | (chosen != problem.start)[:, problem.owner]
    is_open = is_open & (fixed | ~full[:, None])
    return np.asarray(is_open[changed <= problem.most_changes])


def _split(problem: Problem, is_open: Bools, chosen: NDArray[np.int64], splits: Bools) -> Bools:
    """Each set as two, by the feature that matters most: what its cheapest choice hinders times what the next costs.

    If features cannot keep their cheapest choice at all, the set goes on without.

    Args:
        splits: the features by which each set may be split; a set without any is dropped.
    """
    row, feature = np.nonzero(splits)
    if not len(row):
        return is_open[:0]
    first, mine = chosen[row, feature], is_open[row] & (problem.owner == feature[:, None])
    keeps = is_open[row] & ~mine
    keeps[np.arange(len(row)), first] = mine[np.arange(len(row)), first] = True
    most = problem.most(keeps)
    never = np.asarray((most < -problem.tie).any(axis=1))
    hinders = (problem.most(is_open)[row] - most).max(axis=1)
    mine[np.arange(len(row)), first] = False
    dearer = np.where(mine, problem.cost, np.inf).min(axis=1) - problem.cost[first]
    matters = (hinders + EVEN) * (dearer + EVEN)
    found = []
    for place in np.unique(row):
        some, without = np.flatnonzero(row == place), is_open[place].copy()
        if never[some].any():
            without[first[some[never[some]]]] = False
        else:
            best = some[int(np.argmax(matters[some]))]
            without[first[best]] = False
            found.append(keeps[best])
        found.append(without)
    return np.array(found)
