"""What a change does not need is taken back, and numbers go back as far as the answer stays: each step is verified."""

import numpy as np

from corrigible.explanations.counterfactuals.asking import Asking
from corrigible.explanations.counterfactuals.searching import Found
from corrigible.explanations.counterfactuals.space import Values

HALVINGS = 6


def refined(asking: Asking, found: Found) -> Found:
    """The changes, none of whose parts can be taken back by itself."""
    return pruned(asking, _bisected(asking, pruned(asking, found)))


def pruned(asking: Asking, found: Found) -> Found:
    """Feature by feature is put back, the dearest first, where the wish stays fulfilled."""
    changed = found.changed.copy()
    costs = asking.space.costs(changed, found.row)
    order = np.argsort(-costs, axis=1, kind="stable")
    differs = asking.space.differs(changed, found.row)
    for number in range(int(differs.sum(axis=1).max(initial=0))):
        place = order[:, number]
        some = np.flatnonzero(differs[np.arange(len(place)), place] & (differs.sum(axis=1) > 1))
        if not len(some):
            continue
        tried = changed[some].copy()
        tried[np.arange(len(some)), place[some]] = asking.space.before[found.row[some], place[some]]
        tried = asking.space.clipped(tried, found.row[some])
        taken = asking.fulfils(tried, found.row[some])
        changed[some[taken]] = tried[taken]
        differs = asking.space.differs(changed, found.row)
    return Found(found.row, changed)


def _bisected(asking: Asking, found: Found) -> Found:
    """Each changed number, the dearest first, goes back towards what it was, as far as the wish stays fulfilled."""
    space, changed = asking.space, found.changed.copy()
    features = enumerate(space.schema.features)
    can_halve = [not one.is_category or not np.isnan(space.rank(at)).all() for at, one in features]
    costs = np.where(can_halve, space.costs(changed, found.row), 0.0)
    order = np.argsort(-costs, axis=1, kind="stable")
    for number in range(int((costs > 0).sum(axis=1).max(initial=0))):
        place = order[:, number]
        some = np.flatnonzero(costs[np.arange(len(place)), place] > 0)
        low, high = np.zeros(len(some)), np.ones(len(some))
        ends = changed[some].copy()
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            tried = _between(asking, ends, found.row[some], place[some], middle)
            open_ = np.flatnonzero((tried != changed[some]).any(axis=1, where=~np.isnan(tried)))
            taken = np.zeros(len(some), dtype=bool)
            taken[open_] = asking.fulfils(tried[open_], found.row[some[open_]])
            changed[some[taken]] = tried[taken]
            high, low = np.where(taken, middle, high), np.where(taken, low, middle)
    return Found(found.row, changed)


def _between(asking: Asking, ends: Values, rows: np.ndarray, place: np.ndarray, share: np.ndarray) -> Values:
    """The changes with one feature at a share of the way from what it was; of ordered levels the nearest."""
    space, tried = asking.space, ends.copy()
    before = space.before[rows]
    for at in np.unique(place):
        some = np.flatnonzero(place == at)
        start, end = before[some, at], ends[some, at]
        if space.schema.features[at].is_category:
            rank = space.rank(int(at))
            first, last = rank[start.astype(np.int64)], rank[end.astype(np.int64)]
            goal = np.nan_to_num(first) + share[some] * (last - np.nan_to_num(first))
            away = np.nan_to_num(np.abs(goal[:, None] - rank), nan=np.inf)
            tried[some, at] = np.where(np.isnan(first), end, away.argmin(axis=1))
        else:
            tried[some, at] = start + share[some] * (end - start)
    return space.clipped(tried, rows)
