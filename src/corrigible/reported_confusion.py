"""Which classes a model takes for which, as a table for its report."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from corrigible import figures

HARDLY = 0.25
"""A class that is predicted for less than this share of its number of rows is hardly ever predicted."""


class ConfusionTable(NamedTuple):
    """The number of rows by label and predicted class."""

    model: str
    class_names: tuple[str, ...]
    rows: list[tuple[str, list[tuple[int, str]]]]
    """(label, [(number of rows, colour)])."""


def confusion_table(
    model: str, confusion: Int[np.ndarray, " num_classes num_classes"], class_names: Sequence[str]
) -> ConfusionTable:
    """The cells of a confusion matrix, shaded by their share of the label's rows: blue if right, orange if wrong.

    Raises:
        ValueError: another number of names than of classes.
    """
    names = tuple(class_names) or tuple(map(str, range(len(confusion))))
    if len(names) != len(confusion):
        raise ValueError(f"model {model!r} has {len(names)} class names for {len(confusion)} classes")
    rows = []
    for label, counts in enumerate(confusion.tolist()):
        total = max(sum(counts), 1)
        # The root, so that a few wrong predictions still show.
        shades = [figures.shaded(math.sqrt(n / total), style=int(k == label)) for k, n in enumerate(counts)]
        rows.append((names[label], list(zip(counts, shades, strict=True))))
    return ConfusionTable(model, names, rows)


def classes_used(table: ConfusionTable) -> str | None:
    """Which classes a model hardly ever predicts, in words; None if it still predicts more than half of them."""
    counts = np.array([[count for count, _ in cells] for _, cells in table.rows])
    rows, predicted = counts.sum(axis=1), counts.sum(axis=0)
    is_used = (rows > 0) & (predicted >= HARDLY * rows)
    if not rows.any() or 2 * is_used.sum() > (rows > 0).sum():
        return None
    used = ", ".join(name for name, is_there in zip(table.class_names, is_used, strict=True) if is_there)
    num_there = int((rows > 0).sum())
    return f"hardly ever predicts {num_there - int(is_used.sum())} of {num_there} classes, only {used or 'others'}"
