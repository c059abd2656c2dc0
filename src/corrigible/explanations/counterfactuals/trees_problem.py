"""A search for the cheapest choices of a row with which an ensemble answers as wanted, as arrays.

A point takes one choice for each feature. A tree answers by the one leaf whose conditions the point meets, so that
sums over the trees of the largest weights among reachable leaves bound what any of some choices can bring.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from corrigible.errors import UnsupportedModelError
from corrigible.explanations.counterfactuals.trees_choices import Choices
from corrigible.explanations.counterfactuals.trees_grid import Grid

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
MOST_ENTRIES = 5 * 10**7
"""Of choices times conditions, four bytes each."""
ROUNDED = 1e-11
"""What the order of adding up leaves may change of a sum, as a share of the largest weights: nearer ones are ties."""


@dataclass(frozen=True)
class Problem:
    """What may be chosen, what it costs and what it brings."""

    cost: Floats
    """(choice,): of one feature after another, within each from low to high; the first costs 0 and changes nothing."""
    start: NDArray[np.int64]
    """The first choice of each feature."""
    owner: NDArray[np.int64]
    """The feature of each choice."""
    origin: NDArray[np.int64]
    """The place of each choice among those that its feature had at first."""
    meets: NDArray[np.float32]
    """1 where a choice meets a condition on its feature, else 0, (choice, condition)."""
    asked: NDArray[np.int64]
    """The conditions of each leaf, (leaf, place); in places that are left over, the number of all conditions."""
    tree_start: NDArray[np.int64]
    """The first leaf of each tree."""
    weight: Floats
    """What each leaf adds to each sum, (sum, leaf)."""
    needed: Floats
    """What each sum must reach, (sum,)."""
    most_changes: int | None = None
    distinct: frozenset[int] = frozenset()
    """Features whose choices matter also where the trees cannot tell them apart."""

    @cached_property
    def tie(self) -> Floats:
        """Sums that differ by less than this from what is needed are too near to call, (sum,)."""
        largest = np.maximum.reduceat(np.abs(self.weight), self.tree_start, axis=1).sum(axis=1)
        return np.asarray(ROUNDED * (largest + np.abs(np.where(np.isfinite(self.needed), self.needed, 0.0))))

    @property
    def num_features(self) -> int:
        """The number of features that may change."""
        return len(self.start)

    def reachable(self, is_open: Bools) -> Bools:
        """Which leaves points with some of the choices reach, (set, leaf), for sets of choices, (set, choice)."""
        met = np.ones((len(is_open), self.meets.shape[1] + 1), dtype=bool)
        np.greater(is_open.astype(np.float32) @ self.meets, 0, out=met[:, :-1])
        found = met[:, self.asked[:, 0]]
        for place in range(1, self.asked.shape[1]):
            found &= met[:, self.asked[:, place]]
        return found

    def most(self, is_open: Bools) -> Floats:
        """The most that points with some of the choices may bring beyond what is needed, (set, sum).

        It is exact for a set that holds one choice of each feature.
        """
        reachable = self.reachable(is_open)
        found = np.empty((len(is_open), len(self.needed)))
        for number, weight in enumerate(self.weight):
            each = np.maximum.reduceat(np.where(reachable, weight, -np.inf), self.tree_start, axis=1)
            found[:, number] = each.sum(axis=1) - self.needed[number]
        return found

    def cheapest(self, is_open: Bools) -> NDArray[np.int64]:
        """The cheapest choice of each feature, (set, feature), that is in each set; every set has one."""
        places = np.where(is_open, np.arange(len(self.cost)), len(self.cost))
        return np.minimum.reduceat(places, self.start, axis=1)

    def point(self, chosen: NDArray[np.int64]) -> Bools:
        """Sets that hold the chosen ones alone, (set, choice), of choices (set, feature)."""
        found = np.zeros((len(chosen), len(self.cost)), dtype=bool)
        found[np.arange(len(chosen))[:, None], chosen] = True
        return found

    def within(self, budget: float) -> "Problem":
        """The same without what costs more than the budget, what no point reaches, and choices that are alike."""
        affordable = self.cost <= budget
        reachable = self.reachable(affordable[None])[0]
        used = np.zeros(self.meets.shape[1] + 1, dtype=bool)
        used[self.asked[reachable]] = True
        count = np.add.reduceat((self.meets * affordable[:, None])[:, used[:-1]], self.start, axis=0)
        size = np.add.reduceat(affordable.astype(np.int64), self.start)
        telling = np.flatnonzero(used[:-1])[((count > 0) & (count < size[:, None])).any(axis=0)]
        kept = np.flatnonzero(affordable)
        kept = kept[self._different(kept, telling)]
        number = np.full(self.meets.shape[1] + 1, len(telling))
        number[telling] = np.arange(len(telling))
        owner = self.owner[kept]
        tree = np.repeat(np.arange(len(self.tree_start)), np.diff(np.append(self.tree_start, len(reachable))))[
            reachable
        ]
        return replace(
            self,
            cost=self.cost[kept],
            start=np.searchsorted(owner, np.arange(self.num_features)),
            owner=owner,
            origin=self.origin[kept],
            meets=self.meets[np.ix_(kept, telling)],
            asked=_packed(number[self.asked[reachable]], len(telling)),
            tree_start=np.searchsorted(tree, np.arange(len(self.tree_start))),
            weight=self.weight[:, reachable],
        )

    def _different(self, kept: NDArray[np.int64], telling: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of the choices that meet the same conditions the cheapest each."""
        bits = np.packbits(self.meets[np.ix_(kept, telling)] > 0, axis=1)
        apart = np.where(np.isin(self.owner[kept], list(self.distinct)), kept, -1)
        labels = np.stack([self.owner[kept], apart], axis=1).astype(np.int64).view(np.uint8)
        both = np.ascontiguousarray(np.concatenate([labels.reshape(len(kept), -1), bits], axis=1))
        _, first = np.unique(both.view(np.dtype((np.void, both.shape[1]))).reshape(-1), return_index=True)
        return np.sort(first)


def problem_of(
    grid: Grid,
    features: Sequence[int],
    choices: Sequence[Choices],
    reachable: Bools,
    *,
    weight: Floats,
    needed: Floats,
    most_changes: int | None = None,
    distinct: frozenset[int] = frozenset(),
) -> Problem:
    """The problem of one row.

    Args:
        features: the places of those that may change, in the schema.
        choices: theirs.
        reachable: which leaves the features that stay as they are leave to the row, (leaf,).
        weight: what each leaf adds to each sum, (sum, leaf).
        needed: what each sum must reach.
        most_changes: the most features that may change.
        distinct: of the features that may change, those whose choices must not be taken together.

    Raises:
        UnsupportedModelError: so many choices and conditions that they do not fit into memory.
    """
    sizes = [len(one.cell) for one in choices]
    start = np.cumsum([0, *sizes])
    if int(start[-1]) * grid.start[-1] > MOST_ENTRIES:
        found = f"the trees put {grid.start[-1]:,} conditions on features with {int(start[-1]):,} values to choose from"
        raise UnsupportedModelError(f"{found}; expected at most {MOST_ENTRIES:,} pairs of both: use a smaller ensemble")
    meets = np.zeros((int(start[-1]), grid.start[-1]), dtype=np.float32)
    stays = np.ones(grid.start[-1] + 1, dtype=bool)
    for number, (feature, one) in enumerate(zip(features, choices, strict=True)):
        conditions = slice(grid.start[feature], grid.start[feature + 1])
        meets[start[number] : start[number + 1], conditions] = grid.splits[feature].met_by(one.cell)
        stays[conditions] = False
    asked = np.where(stays[grid.asked], grid.start[-1], grid.asked)[reachable]
    tree = grid.leaves.tree[reachable]
    return Problem(
        np.concatenate([one.cost for one in choices]),
        start[:-1],
        np.repeat(np.arange(len(choices)), sizes),
        np.concatenate([np.arange(size) for size in sizes]),
        meets,
        _packed(asked, grid.start[-1]),
        np.searchsorted(tree, np.arange(int(grid.leaves.tree[-1]) + 1)),
        weight[:, reachable],
        needed,
        most_changes,
        distinct,
    )


def _packed(asked: NDArray[np.int64], none: int) -> NDArray[np.int64]:
    """The same with conditions before what is left over, and no more places than are used."""
    found = np.sort(asked, axis=1)
    places = int((found < none).sum(axis=1).max(initial=0))
    return found[:, : max(1, places)]
