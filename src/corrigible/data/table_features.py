"""The features of an encoded table: what is learned of each column, and the columns of ``x`` that it becomes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corrigible.data.cells import Cells, Words
from corrigible.data.class_order import MISSING, in_order
from corrigible.data.spelling import as_words
from corrigible.errors import DataError


@dataclass(frozen=True)
class Numeric:
    """How one column of numbers is encoded."""

    name: str
    mean: float
    sd: float
    """0 if all known values are equal; then only the indicator is kept."""
    has_missing: bool
    """True if the training frame has missing values here; then a column ``name=missing`` marks them."""


@dataclass(frozen=True)
class Categorical:
    """How one column of categories is encoded."""

    name: str
    categories: tuple[str, ...]


Feature = Numeric | Categorical


def numeric_of(name: str, numbers: NDArray[np.float64]) -> Numeric:
    """The mean and spread of the known numbers."""
    known = numbers[~np.isnan(numbers)]
    # Compared by range: rounding can give a constant column a standard deviation above 0.
    if len(known) == 0 or known.min() == known.max():
        mean, sd = (float(known[0]) if len(known) else 0.0), 0.0
    else:
        mean, sd = float(known.mean()), float(known.std())
    return Numeric(name, mean, sd, has_missing=0 < len(known) < len(numbers))


def categorical_of(name: str, cells: Cells) -> Categorical:
    """The categories that occur, with one for empty cells if there are any."""
    words = as_words(cells)
    return Categorical(name, names_with_missing(name, words))


def names_with_missing(name: str, words: Words) -> tuple[str, ...]:
    """The texts that occur in the column, in order, and ``missing`` where cells are empty.

    Raises:
        DataError: cells are empty and others hold that very word.
    """
    found = [text for text, count in zip(words.texts, words.counts, strict=True) if count]
    is_empty = bool((words.codes < 0).any())
    if is_empty and MISSING in found:
        raise DataError(
            f"column {name!r} has empty cells and cells with the text {MISSING!r}, by which empty ones are named; "
            "write another word, or empty those cells"
        )
    return in_order([*found, MISSING] if is_empty else found)


def columns_of_feature(feature: Feature) -> list[tuple[str, bool]]:
    """Name of each encoded column, and whether it is a one-hot column; none if the feature carries no information."""
    if isinstance(feature, Categorical):
        return [(f"{feature.name}={c}", True) for c in feature.categories] if len(feature.categories) > 1 else []
    return [(feature.name, False)] * (feature.sd > 0) + [(f"{feature.name}={MISSING}", False)] * feature.has_missing


def fill(x: NDArray[np.float32], feature: Feature, cells: Cells) -> None:
    """Write the feature's columns into ``x``, which holds zeros."""
    if isinstance(feature, Categorical):
        assert isinstance(cells, Words)
        rows = np.flatnonzero(cells.codes >= 0)
        x[rows, cells.codes[rows]] = 1.0
        return
    assert not isinstance(cells, Words)
    missing = np.isnan(cells)
    if feature.sd > 0:
        standard = cells - feature.mean
        standard /= feature.sd
        standard[missing] = 0.0
        x[:, 0] = standard
    if feature.has_missing:
        x[:, -1] = missing
