"""The values of a feature that an ensemble cannot tell apart, as cells: only what it tells apart needs to be tried.

The cells of a number lie between consecutive thresholds of all trees; those of a category are its levels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corrigible.explanations.counterfactuals.schema import FeatureFacts, Schema
from corrigible.explanations.counterfactuals.trees_reading import Leaves


@dataclass(frozen=True)
class Splits:
    """The different conditions that leaves put on one feature."""

    thresholds: NDArray[np.float64]
    """Of a number, between its cells: cell k holds what is above threshold k − 1 and at most threshold k."""
    leaf: NDArray[np.int64]
    """The leaves that ask something of the feature, each once."""
    condition: NDArray[np.int64]
    """What each of them asks."""
    first: NDArray[np.int64]
    """Of a number, the first cell that meets each condition."""
    last: NDArray[np.int64]
    """Of a number, the last such cell."""
    levels: NDArray[np.bool_] | None = None
    """Of a category, which levels meet each condition, (condition, level)."""

    @property
    def num_cells(self) -> int:
        """The number of cells of a number."""
        return len(self.thresholds) + 1

    @property
    def num_conditions(self) -> int:
        """How many different conditions there are."""
        return len(self.first) if self.levels is None else len(self.levels)

    def met_by(self, cells: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which conditions each of some cells meets, (cell, condition)."""
        if self.levels is not None:
            return self.levels.T[cells]
        return np.asarray((self.first <= cells[:, None]) & (cells[:, None] <= self.last))


@dataclass(frozen=True)
class Grid:
    """The conditions on all features, numbered one after another."""

    leaves: Leaves
    splits: tuple[Splits, ...]
    """Of each feature of the schema."""
    start: tuple[int, ...]
    """The number of each feature's first condition, and last the number of all conditions."""
    asked: NDArray[np.int64]
    """The conditions of each leaf, (leaf, place); in places that are left over, the number of all conditions."""


def grid_of(leaves: Leaves, schema: Schema) -> Grid:
    """The cells of every feature of the schema, and what each leaf asks of them."""
    splits = tuple(
        _of_category(leaves, feature) if feature.is_category else _of_number(leaves, feature)
        for feature in schema.features
    )
    start = np.cumsum([0, *(one.num_conditions for one in splits)])
    leaf = np.concatenate([one.leaf for one in splits])
    condition = np.concatenate([one.condition + begin for one, begin in zip(splits, start, strict=False)])
    order = np.argsort(leaf, kind="stable")
    leaf, condition = leaf[order], condition[order]
    place = np.arange(len(leaf)) - np.searchsorted(leaf, leaf)
    asked = np.full((len(leaves.tree), int(place.max(initial=0)) + 1), start[-1])
    asked[leaf, place] = condition
    return Grid(leaves, splits, tuple(int(number) for number in start), asked)


def _of_number(leaves: Leaves, feature: FeatureFacts) -> Splits:
    asked = np.isin(leaves.column, feature.places[:1])
    low, high = leaves.low[asked], leaves.high[asked]
    both = np.concatenate([low, high])
    thresholds = np.unique(both[np.isfinite(both)])
    # A bound at infinity parts empty cells from numbers: none is above it.
    first = np.where(np.isneginf(low), 0, np.searchsorted(thresholds, low) + 1)
    last = np.searchsorted(thresholds, high)
    different, condition = np.unique(first * (len(thresholds) + 2) + last, return_inverse=True)
    found = different // (len(thresholds) + 2), different % (len(thresholds) + 2)
    return Splits(thresholds, leaves.leaf[asked], condition.astype(np.int64), *found)


def _of_category(leaves: Leaves, feature: FeatureFacts) -> Splits:
    asked = np.isin(leaves.column, feature.places)
    leaf, which = np.unique(leaves.leaf[asked], return_inverse=True)
    level = np.searchsorted(feature.places, leaves.column[asked])
    low, high = leaves.low[asked], leaves.high[asked]
    absent, present = ((low < held) & (held <= high) for held in (0.0, 1.0))
    met = np.ones((len(leaf), len(feature.places)), dtype=bool)
    for row, column, without, with_it in zip(which, level, absent, present, strict=True):
        is_met = np.full(len(feature.places), without)
        is_met[column] = with_it
        met[row] &= is_met
    levels, condition = np.unique(met, axis=0, return_inverse=True)
    none = np.zeros(0, dtype=np.int64)
    return Splits(np.zeros(0), leaf, condition.reshape(-1).astype(np.int64), none, none, levels)
