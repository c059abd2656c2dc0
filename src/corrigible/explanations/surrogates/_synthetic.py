"""Points like the rows of a table, on which a surrogate is fitted and judged.

For the whole model: a row takes some features from one of its nearest rows (Chawla et al. 2002, SMOTE, but with
features exchanged rather than mixed, so that categories stay categories). Around one row: that row takes some features
from rows near to it, and points are weighted by proximity (Ribeiro, Singh and Guestrin 2016, Why should I trust you?).
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from corrigible.explanations.features import feature_index
from corrigible.types import Columns

NEIGHBOURS = 10
NOISE = 0.1
"""Noise added to columns of numbers, in standard deviations of the column."""
MOST_LEVELS = 10
"""A column with at most this many different values keeps them: it gets no noise."""

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Space:
    """The columns of the data with their scales."""

    columns: Columns
    scale: NDArray[np.float64]
    """The unit of distance in each column: a standard deviation; for a category, a change to another one."""
    noise: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def feature(self) -> NDArray[np.int64]:
        """The number of each column's feature."""
        return feature_index(self.columns).numpy()


@dataclass(frozen=True)
class SyntheticPoints:
    """Synthetic rows with their weights, which sum to 1."""

    x: Rows
    weight: NDArray[np.float64]
    is_copy: NDArray[np.bool_]
    """True if the point differs from the row that it was made from at most by noise."""


def space_of(rows: Rows, columns: Columns) -> Space:
    """The spread of each column over the data."""
    sd, one_hot = rows.std(axis=0), np.array(columns.one_hot)
    # Another category changes two one-hot columns by 1 each.
    scale = np.where(one_hot, np.sqrt(2.0), np.where(sd > 0, sd, 1.0))
    levels = np.array([len(np.unique(column)) for column in rows.T])
    noise = np.where(one_hot | (levels <= MOST_LEVELS), 0.0, NOISE * sd)
    return Space(columns, scale, noise, rows.min(axis=0), rows.max(axis=0))


def points_of(
    rows: Rows, num_points: int, space: Space, *, around: Rows | None, width: float, rng: Generator
) -> SyntheticPoints:
    """``num_points`` points made from these rows: near to all of them, or around one row with a proximity kernel.

    The kernel is exp(−distance² / (width² × number of features)).
    """
    if around is None:
        start, donors = _neighbours(rows, num_points, space, rng)
        share = np.full((num_points, 1), 0.5)
    else:
        start = np.broadcast_to(around, (num_points, len(around)))
        donors = rows[rng.choice(len(rows), size=num_points, p=_proximity(rows, around, space, width))]
        share = rng.random((num_points, 1))  # Points differ in few to nearly all features.
    exchanged = rng.random((num_points, len(space.columns.features))) < share
    x = np.where(exchanged[:, space.feature], donors, start)
    is_copy = (x == start).all(axis=1)
    low, high = np.minimum(space.low, x), np.maximum(space.high, x)
    x = np.clip(x + space.noise * rng.standard_normal(x.shape), low, high)
    return SyntheticPoints(
        x, np.full(num_points, 1 / num_points) if around is None else _proximity(x, around, space, width), is_copy
    )


def _neighbours(rows: Rows, num_points: int, space: Space, rng: Generator) -> tuple[Rows, Rows]:
    """Rows drawn with replacement, and for each one of its nearest rows."""
    chosen, places = np.unique(rng.integers(len(rows), size=num_points), return_inverse=True)
    scaled = torch.from_numpy(rows / space.scale)
    # The nearest row is the row itself.
    num_near = min(NEIGHBOURS + 1, len(rows))
    parts = torch.from_numpy(chosen).split(max(1, 2**24 // len(rows)))
    near = torch.cat([_distances(scaled[some], scaled).topk(num_near, largest=False).indices for some in parts])
    donor = near.numpy()[places, rng.integers(min(1, num_near - 1), num_near, size=num_points)]
    return rows[chosen[places]], rows[donor]


def _distances(some: Float[Tensor, " some column"], rows: Float[Tensor, " row column"]) -> Float[Tensor, " some row"]:
    return torch.cdist(some, rows)


def _proximity(x: Rows, around: Rows, space: Space, width: float) -> NDArray[np.float64]:
    """The kernel at each row; it sums to 1."""
    squared = np.square((x - around) / space.scale).sum(axis=1) / (width**2 * len(space.columns.features))
    # Relative to the nearest row, so that not all are 0 far away from the data.
    weight = np.exp(squared.min() - squared)
    return np.asarray(weight / weight.sum())
