"""An attribute cut into groups of people: categories, or parts of numbers."""

import itertools
from collections.abc import Iterator

import numpy as np

from corrigible.auditing.columns import Column, Numbers

NUM_QUARTERS = 4
MOST_GROUPS = 12


def groups_of(column: Column) -> Column:
    """The attribute as groups: its categories, or about quarters of numbers.

    A number that a quarter of the rows hold is a group of its own, and those below and above it are others.
    """
    if not column.is_number:
        if len(column.levels) <= MOST_GROUPS:
            return column
        rest = MOST_GROUPS - 1
        values = np.where(np.isnan(column.values), np.nan, np.minimum(column.values, rest))
        return Column(column.name, values, (*column.levels[:rest], "all others"))
    starts, names = zip(*_parts(column.values[np.isfinite(column.values)]), strict=True)
    place = np.searchsorted(starts, column.values, side="right") - 1.0
    return Column(column.name, np.where(np.isnan(column.values), np.nan, np.maximum(place, 0)), names)


def _parts(known: Numbers) -> Iterator[tuple[float, str]]:
    """Each part of numbers, as where it begins and its name, in ascending order."""
    values, counts = np.unique(known, return_counts=True)
    often = np.flatnonzero(counts >= len(known) / NUM_QUARTERS)
    ends = np.unique([0, len(values), *often, *(often + 1)])
    for start, end in itertools.pairwise(ends):
        if end == start + 1:
            yield float(values[start]), f"{values[start]:g}"
            continue
        between = np.repeat(values[start:end], counts[start:end])
        parts = max(1, round(NUM_QUARTERS * len(between) / len(known)))
        edges = np.unique(np.quantile(between, np.linspace(0, 1, parts + 1), method="nearest"))
        yield from ((float(low), f"{low:g} to {high:g}") for low, high in itertools.pairwise(edges))
