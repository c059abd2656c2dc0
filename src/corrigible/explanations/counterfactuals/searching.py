"""From each row one change after another until the answer is the wanted one: several searches for each row at once."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from corrigible.explanations.counterfactuals.asking import Asking
from corrigible.explanations.counterfactuals.candidates import candidates
from corrigible.explanations.counterfactuals.space import Places

FIRST, LATER = 16, 8
"""How many single changes are tried of each search, at first and later."""
ROUNDS = 8
LEAST_GAIN = 1e-7
LEAST_STEP = 0.05
"""A step counts as at least so dear, so that the smallest do not come first whatever they bring."""


@dataclass(frozen=True)
class Found:
    """Changes of rows that give the wanted answers; a row may have several or none."""

    row: Int[np.ndarray, " found"]
    changed: Float[np.ndarray, " found feature"]

    @staticmethod
    def none(num_features: int) -> "Found":
        return Found(np.zeros(0, dtype=np.int64), np.zeros((0, num_features)))

    def and_also(self, other: "Found") -> "Found":
        return Found(np.concatenate([self.row, other.row]), np.concatenate([self.changed, other.changed]))


def searched(
    asking: Asking,
    rows: Places,
    free: Bool[np.ndarray, " some feature"],
    near: Float[np.ndarray, " some near feature"],
    *,
    starts: int,
    tried: int = 0,
) -> Found:
    """Changes that are allowed and give the wanted answer.

    The first step of each row is taken in up to ``starts`` ways, with different features; from each the step that
    brings most for its cost is taken until the answer is reached.

    Args:
        free: the features of each row that may be changed.
        near: values of near rows with the wanted answer, or others that single features should take.
        tried: how many single changes are tried of each search, if more than usual.
    """
    found = Found.none(asking.space.before.shape[1])
    at, changed = np.arange(len(rows)), asking.space.before[rows].copy()
    for number in range(ROUNDS):
        if not len(at):
            break
        ways, most = (1, max(tried, LATER)) if number else (starts, max(tried, FIRST))
        reached, at, changed = _step(asking, rows, at, changed, free=free, near=near, ways=ways, most=most)
        found = found.and_also(reached)
    return found


def _step(
    asking: Asking,
    rows: Places,
    at: np.ndarray,
    changed: np.ndarray,
    *,
    free: np.ndarray,
    near: np.ndarray,
    ways: int,
    most: int,
) -> tuple[Found, np.ndarray, np.ndarray]:
    """The searches that reached the answer, and those that go on: where they began and what they have changed."""
    space = asking.space
    margins, slopes = asking.slopes(changed, rows[at])
    tried = candidates(space, changed, rows[at], margins, slopes, free=free[at], near=near[at], most=most)
    row = rows[at][tried.search]
    allowed = space.feasible(tried.changed, row)
    tried = tried._replace(search=tried.search[allowed], feature=tried.feature[allowed], changed=tried.changed[allowed])
    row = row[allowed]
    brought = asking.margins(tried.changed, row)
    price = space.cost(tried.changed, row)
    gain = brought - margins[tried.search]
    wanted = brought > 0
    is_fine = np.zeros(len(wanted), dtype=bool)
    is_fine[wanted] = asking.is_plausible(tried.changed[wanted], row[wanted])
    step = np.maximum(price - space.cost(changed, rows[at])[tried.search], LEAST_STEP)
    if asking.is_bounded:
        away = asking.distances(tried.changed, row) - asking.distances(changed, rows[at])[tried.search]
        step = step + np.maximum(np.nan_to_num(away), 0.0)
    # The cheapest that fulfil the wish first, then what brings most for its cost.
    rank = np.where(is_fine, -1e9 + price, np.where(wanted, -1e6 + price, -np.maximum(gain, 0) / step))
    chosen = best_of(tried.search, tried.feature, np.where(wanted | (gain > LEAST_GAIN), rank, np.inf), ways)
    done, on = chosen[wanted[chosen]], chosen[~wanted[chosen]]
    return Found(row[done], tried.changed[done]), at[tried.search[on]], tried.changed[on]


def best_of(search: np.ndarray, feature: np.ndarray, rank: np.ndarray, ways: int) -> Int[np.ndarray, " chosen"]:
    """Of each search the first by rank, with different features; none whose rank is infinite."""
    order = np.lexsort((rank, search))
    order = order[np.isfinite(rank[order])]
    pairs = search[order] * (feature.max(initial=0) + 1) + feature[order]
    order = order[np.sort(np.unique(pairs, return_index=True)[1])]
    _, first, count = np.unique(search[order], return_index=True, return_counts=True)
    place = np.arange(len(order)) - np.repeat(first, count)
    return np.asarray(order[place < ways])
