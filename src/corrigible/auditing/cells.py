"""A column cut into cells of rows that are alike in it, and what the cells alone tell of an outcome.

Means of cells find what any shape of a curve tells, and cells of empty values find what is told by their absence.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corrigible.auditing.columns import Column, Numbers
from corrigible.auditing.outcomes import Outcome, skill
from corrigible.figures import short_number

MOST_CELLS = 64
LEAST_ROWS = 20
"""Of a cell of numbers."""
OFTEN = 0.005
"""A number that at least this share of the rows hold has a cell of its own."""
SHRINKAGE = 2.0
"""As many rows of the overall mean are added to each cell, so that a rare category tells little."""
NUM_FOLDS = 5


@dataclass(frozen=True)
class Cells:
    """The cell of each row."""

    index: NDArray[np.int64]
    names: tuple[str, ...]
    """What the rows of each cell hold."""
    are_ordered: bool = False
    """Whether the cells are of numbers in ascending order, and the last is of empty ones."""


def cells_of(column: Column, most: int = MOST_CELLS) -> Cells:
    """The cells of one column: each category, or about ``most`` parts of numbers; empty cells are one of their own."""
    empty = np.isnan(column.values)
    if column.levels:
        kept = min(len(column.levels), most - 1) if len(column.levels) > most else len(column.levels)
        place = np.where(empty, kept + 1, np.minimum(column.values, kept))
        return Cells(place.astype(np.int64), (*column.levels[:kept], "all others", "missing"))
    known = column.values[~empty]
    edges = _edges(known, most)
    place = np.where(empty, len(edges) + 1, np.searchsorted(edges, column.values, side="right"))
    return Cells(place.astype(np.int64), _names(edges, known), are_ordered=True)


def crossed(one: Cells, other: Cells) -> Cells:
    """The cells of two columns together."""
    return Cells(one.index * len(other.names) + other.index, ("",) * (len(one.names) * len(other.names)))


def told_by_cells(cells: Cells, outcome: Outcome, folds: NDArray[np.int64]) -> Numbers:
    """For each row what the rows of the other folds in its cell tell of the outcome, (row, part)."""
    count = len(cells.names)
    at = cells.index * NUM_FOLDS + folds
    rows = np.bincount(at, minlength=count * NUM_FOLDS).reshape(count, NUM_FOLDS).astype(np.float64)
    learned = rows.sum(axis=1, keepdims=True) - rows
    found = np.empty_like(outcome.z)
    for part, z in enumerate(outcome.z.T):
        sums = np.bincount(at, weights=z, minlength=count * NUM_FOLDS).reshape(count, NUM_FOLDS)
        mean = z.mean()
        means = (sums.sum(axis=1, keepdims=True) - sums + SHRINKAGE * mean) / (learned + SHRINKAGE)
        found[:, part] = means[cells.index, folds]
    return found


def skill_of_cells(cells: Cells, outcome: Outcome, folds: NDArray[np.int64]) -> float:
    """The share of the outcome's variance that the cells tell of rows that were not looked at."""
    return skill(outcome.z, told_by_cells(cells, outcome, folds))


def folds_of(num_rows: int, seed: int) -> NDArray[np.int64]:
    """The fold of each row, drawn by the seed; all are of the same size."""
    folds: NDArray[np.int64] = np.random.default_rng(seed).permutation(num_rows) % NUM_FOLDS
    return folds


def _edges(known: Numbers, most: int) -> Numbers:
    values, counts = np.unique(known, return_counts=True)
    if len(values) <= most:
        return values[1:]
    parts = max(2, min(most, len(known) // LEAST_ROWS))
    often = values[counts >= max(LEAST_ROWS, OFTEN * len(known))] if most == MOST_CELLS else values[:0]
    quantiles = np.quantile(known, np.linspace(0, 1, parts + 1)[1:-1], method="nearest")
    return np.unique(np.concatenate([quantiles, often, np.nextafter(often, np.inf)]))


def _names(edges: Numbers, known: Numbers) -> tuple[str, ...]:
    """What the numbers between the edges are; one number by itself where there is no other."""
    ends = [-np.inf, *edges, np.inf]
    found, values = [], np.unique(known)
    for low, high in itertools.pairwise(ends):
        inside = values[np.searchsorted(values, low) : np.searchsorted(values, high)]
        if not len(inside):
            found.append("none")
        elif len(inside) == 1:
            found.append(short_number(float(inside[0])))
        else:
            found.append(f"{short_number(float(inside[0]))} to {short_number(float(inside[-1]))}")
    return (*found, "missing")
