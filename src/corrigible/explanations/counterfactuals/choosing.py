"""Of all changes that were found the cheapest of each row, and others that change different features."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from corrigible.explanations.counterfactuals.asking import Asking
from corrigible.explanations.counterfactuals.from_near import from_near_rows
from corrigible.explanations.counterfactuals.pairs import of_pairs
from corrigible.explanations.counterfactuals.refining import refined
from corrigible.explanations.counterfactuals.searching import Found, searched
from corrigible.explanations.counterfactuals.space import Places

LOOKED_AT, BEGUN = 10, 5
"""How many near rows of data lend single values, and at how many searches begin."""
WAYS_OUT = 3
"""How often a further result is sought where a search without some features finds none."""


def chosen(
    asking: Asking, rows: Places, near: Float[np.ndarray, " row near feature"], *, k: int, starts: int
) -> Float[np.ndarray, " row k feature"]:
    """Up to k changes for each row, the cheapest first, each of another set of features; NaN where there are fewer."""
    space = asking.space
    found = np.full((len(space.before), k, space.before.shape[1]), np.nan)
    pool = pooled(asking, rows, space.can_change[rows], near[rows], starts)
    rest = rows[~np.isin(rows, pool.row)]
    pool = pool.and_also(_by_pairs(asking, rest, space.can_change[rest], near[rest]))
    _fill(found, asking, pool)
    for number in range(1, k):
        for attempt in range(WAYS_OUT):
            lacking = np.array([row for row in rows if _count(found[row]) == number], dtype=np.int64)
            if not len(lacking):
                break
            free = space.can_change[lacking] & ~_left_out(asking, found[lacking], lacking, attempt)
            pool = pool.and_also(pooled(asking, lacking, free, near[lacking], starts))
            _fill(found, asking, pool)
    return found


def pooled(asking: Asking, rows: Places, free: np.ndarray, near: np.ndarray, starts: int) -> Found:
    """All changes that one search for these rows finds, without what they do not need.

    Where none is as near to rows of data as it should be, those as near as can be.
    """
    some = np.flatnonzero(free.any(axis=1))
    rows, free, near = rows[some], free[some], near[some]
    found = Found.none(asking.space.before.shape[1])
    for search in (_by_steps, _from_near, _everywhere, _near_as_can_be, _anywhere):
        rest = np.flatnonzero(~np.isin(rows, found.row))
        if len(rest):
            found = found.and_also(search(asking, rows[rest], free[rest], near[rest], starts))
    return found


def _by_steps(asking: Asking, rows: Places, free: np.ndarray, near: np.ndarray, starts: int) -> Found:
    return _refined(asking, searched(asking, rows, free, near[:, :LOOKED_AT], starts=starts))


def _refined(asking: Asking, found: Found) -> Found:
    found = refined(asking, found)
    kept = asking.fulfils(found.changed, found.row)
    return Found(found.row[kept], found.changed[kept])


def _from_near(asking: Asking, rows: Places, free: np.ndarray, near: np.ndarray, starts: int) -> Found:
    return refined(asking, from_near_rows(asking, rows, free, near[:, :BEGUN]))


def _everywhere(asking: Asking, rows: Places, free: np.ndarray, near: np.ndarray, starts: int) -> Found:
    """What steps to any level and to numbers all over their range find, wherever the gradient points."""
    grid = asking.space.grid(rows)
    return _refined(asking, searched(asking, rows, free, grid, starts=1, tried=grid.size))


def _near_as_can_be(asking: Asking, rows: Places, free: np.ndarray, near: np.ndarray, starts: int) -> Found:
    if not asking.is_bounded:
        return Found.none(near.shape[2])
    begun = from_near_rows(replace(asking, is_bounded=False), rows, free, near)
    away, nearest = asking.distances(begun.changed, begun.row), np.full(len(asking.usual), np.inf)
    np.minimum.at(nearest, begun.row, away)
    kept = away <= nearest[begun.row]
    return refined(replace(asking, usual=nearest), Found(begun.row[kept], begun.changed[kept]))


def _anywhere(asking: Asking, rows: Places, free: np.ndarray, near: np.ndarray, starts: int) -> Found:
    if not asking.is_bounded:
        return Found.none(near.shape[2])
    return _everywhere(replace(asking, is_bounded=False), rows, free, near, starts)


def _by_pairs(asking: Asking, rows: Places, free: np.ndarray, near: np.ndarray) -> Found:
    """What two features together bring, those that are near to rows of data first."""
    found = _refined(asking, of_pairs(asking, rows, free, near))
    rest = np.flatnonzero(~np.isin(rows, found.row))
    if not asking.is_bounded or not len(rest):
        return found
    asking = replace(asking, is_bounded=False)
    return found.and_also(_refined(asking, of_pairs(asking, rows[rest], free[rest], near[rest])))


def _fill(found: np.ndarray, asking: Asking, pool: Found) -> None:
    """Write the cheapest changes of each row into ``found``, one for each set of features."""
    k = found.shape[1]
    costs = asking.space.cost(pool.changed, pool.row)
    differs = asking.space.differs(pool.changed, pool.row)
    seen: dict[int, list[bytes]] = {}
    found[np.unique(pool.row)] = np.nan
    for place in np.lexsort((costs, pool.row)):
        row, features = int(pool.row[place]), differs[place].tobytes()
        sets = seen.setdefault(row, [])
        if len(sets) < k and features not in sets:
            found[row, len(sets)] = pool.changed[place]
            sets.append(features)


def _left_out(asking: Asking, found: np.ndarray, rows: Places, attempt: int) -> Bool[np.ndarray, " some feature"]:
    """Of each result of a row one feature, its dearest first: without them no search finds the same set again."""
    left_out = np.zeros((len(rows), found.shape[2]), dtype=bool)
    for number in range(found.shape[1]):
        some = np.flatnonzero(~np.isnan(found[:, number]).all(axis=1))
        if not len(some):
            continue
        costs = asking.space.costs(found[some, number], rows[some])
        num_changed = (costs > 0).sum(axis=1)
        place = np.argsort(-costs, axis=1, kind="stable")
        left_out[some, place[np.arange(len(some)), attempt % np.maximum(num_changed, 1)]] = True
    return left_out


def _count(results: np.ndarray) -> int:
    return sum(not np.isnan(one).all() for one in results)
