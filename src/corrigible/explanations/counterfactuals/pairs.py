"""Where no search finds a change: two features at once, each at a few values, whatever the gradient says."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float

from corrigible.explanations.counterfactuals.asking import Asking
from corrigible.explanations.counterfactuals.searching import Found
from corrigible.explanations.counterfactuals.space import Places, Values

MOST_POINTS = 4000
"""How many changes are given to the model for each row."""
MOST_WAYS = 8
"""At how many values each feature is tried."""
KEPT = 8
"""How many changes of each row are taken back further."""


def of_pairs(
    asking: Asking,
    rows: Places,
    free: Bool[np.ndarray, " some feature"],
    near: Float[np.ndarray, " some near feature"],
) -> Found:
    """The cheapest changes of one or two features that fulfil the wish, among values all over what is allowed.

    Pairs of features that bring most by themselves are tried first, ``MOST_POINTS`` changes of each row.

    Args:
        free: the features of each row that may be changed.
        near: values of near rows with the wanted answer.
    """
    found = Found.none(asking.space.before.shape[1])
    grid = asking.space.grid(rows)
    for place, feature in enumerate(asking.space.schema.features):
        grid[:, :, place] = np.round(grid[:, :, place], feature.decimals)
    for number, row in enumerate(rows.tolist()):
        ways = [
            _ways(grid[number, :, place], near[number, :, place], asking.space.before[row, place])
            if free[number, place]
            else np.zeros(0)
            for place in range(free.shape[1])
        ]
        found = found.and_also(_of_row(asking, row, ways))
    return found


def _of_row(asking: Asking, row: int, ways: list[np.ndarray]) -> Found:
    """The cheapest changes of one row that fulfil the wish."""
    singles = _points(asking, row, [((place,), np.array(way)[:, None]) for place, way in enumerate(ways) if len(way)])
    brought = asking.margins(singles, np.full(len(singles), row))
    moved = asking.space.differs(singles, np.full(len(singles), row))
    gain = np.array([brought[moved[:, place]].max(initial=-np.inf) for place in range(len(ways))])
    pairs, count = [], 0
    both_free = combinations(np.flatnonzero(np.isfinite(gain)), 2)
    for one, other in sorted(both_free, key=lambda pair: -gain[list(pair)].sum()):
        count += len(ways[one]) * len(ways[other])
        if count + len(singles) > MOST_POINTS:
            break
        both = np.stack(np.meshgrid(ways[one], ways[other], indexing="ij"), axis=-1).reshape(-1, 2)
        pairs.append(((int(one), int(other)), both))
    changed = np.concatenate([singles, _points(asking, row, pairs)])
    changed = changed[asking.fulfils(changed, np.full(len(changed), row))]
    cheapest = np.argsort(asking.space.cost(changed, np.full(len(changed), row)), kind="stable")[:KEPT]
    return Found(np.full(len(cheapest), row), changed[cheapest])


def _points(asking: Asking, row: int, cases: Sequence[tuple[tuple[int, ...], np.ndarray]]) -> Values:
    """The row with the values of each case put in."""
    space = asking.space
    parts = [np.zeros((0, space.before.shape[1]))]
    for places, values in cases:
        part = np.repeat(space.before[row][None], len(values), axis=0)
        part[:, list(places)] = values
        parts.append(part)
    found = np.concatenate(parts)
    return space.clipped(found, np.full(len(found), row))


def _ways(grid: np.ndarray, near: np.ndarray, held: float) -> np.ndarray:
    """At most so many values: both ends, what the nearest row holds, and others spread between."""
    all_ = np.unique(grid[~np.isnan(grid) & (grid != held)])
    if len(all_) <= MOST_WAYS:
        return np.asarray(all_)
    spread = all_[np.linspace(0, len(all_) - 1, MOST_WAYS - 1).round().astype(np.int64)]
    known = near[~np.isnan(near) & (near != held) & (near >= all_[0]) & (near <= all_[-1])]
    return np.unique(np.append(spread, known[:1]))
