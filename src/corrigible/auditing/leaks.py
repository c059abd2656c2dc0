"""Leak suspects: columns that all but decide the label, as what is written down after the decision does.

Two signs. A column *alone* tells the label about as well as all others together. Or one of its *values*, such as an
empty cell, decides the label of the rows that have it, though the other columns expect something else of them, and
numbers beside it do not: it is then a matter of few rows, and no measure over all rows shows it. Thresholds are
relative to the other columns and numbers, so that a strong but legitimate predictor is no suspect.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corrigible.auditing.boosted import told_out_of_fold
from corrigible.auditing.cells import Cells, cells_of, folds_of, told_by_cells
from corrigible.auditing.columns import Column, Numbers, without
from corrigible.auditing.outcomes import Outcome, skill

LEAST_ALONE = 0.45
"""Share of the label's variance that a column must tell alone."""
OF_OTHERS = 0.7
"""As a multiple of what all others tell together."""
LEAST_ROWS = 20
"""Of a value that decides."""
NEARLY_PURE = 0.1
"""Variance within the value, of two classes p(1 − p); for ranks of amounts as a share of the whole variance."""
LEAST_SURPRISE = 0.35
"""How far the mean of the rows with the value lies from what the others expect, in units of what is between least and
most: probabilities, or ranks."""
OF_RANKS = 0.6
"""Ranks surprise by less: their variance is that of a uniform number, 1/12, that of a class up to 1/4."""
NUM_ERRORS = 2.0
"""Standard errors by which the surprise must exceed its least."""


@dataclass(frozen=True)
class Leak:
    """A column that may tell what was decided."""

    column: str
    alone: float
    """Share of the variance of the label, or of its rank, that the column tells alone, on rows not looked at."""
    others: float
    """The same of all other columns together, without those suspected before."""
    value: str = ""
    """The value that decides; empty where the whole column does."""
    rows: int = 0
    """That have the value."""
    mean: float = float("nan")
    """Of these rows: the share of ``label``, or the rank of the amount from 0 to 1."""
    expected: float = float("nan")
    """What the other columns expect in its place."""
    label: str = ""


@dataclass(frozen=True)
class _Part:
    """A value that may decide."""

    column: str
    rows: NDArray[np.bool_]
    value: str
    part: int
    mean: float


def leak_suspects(columns: Mapping[str, Column], outcome: Outcome, seed: int) -> list[Leak]:
    """The suspects, the most telling first. At least two columns are needed."""
    folds = folds_of(len(outcome.z), seed)
    cells = {name: cells_of(column) for name, column in columns.items()}
    alone = {name: skill(outcome.z, told_by_cells(found, outcome, folds)) for name, found in cells.items()}
    suspects: list[Leak] = []
    for name in sorted(alone, key=lambda name: -alone[name]):
        left = without(columns, [name, *(leak.column for leak in suspects)])
        if alone[name] < LEAST_ALONE or not left:
            break
        others = skill(outcome.z, told_out_of_fold(left.values(), outcome, seed))
        if alone[name] >= OF_OTHERS * others:
            suspects.append(Leak(name, alone[name], others))
    return suspects + _deciding_values(columns, cells, alone, outcome, suspects, seed)


def alone_by_column(columns: Mapping[str, Column], outcome: Outcome, seed: int) -> dict[str, float]:
    """What each column tells alone, the most telling first."""
    folds = folds_of(len(outcome.z), seed)
    found = {n: skill(outcome.z, told_by_cells(cells_of(c), outcome, folds)) for n, c in columns.items()}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _deciding_values(
    columns: Mapping[str, Column],
    cells: Mapping[str, Cells],
    alone: Mapping[str, float],
    outcome: Outcome,
    suspects: list[Leak],
    seed: int,
) -> list[Leak]:
    """Columns with a value that decides, beside those suspected as a whole."""
    known = {leak.column for leak in suspects}
    overall = outcome.z.mean(axis=0)
    parts = [
        part
        for name in columns
        if name not in known
        for part in _pure(name, cells[name], outcome)
        if abs(part.mean - overall[part.part]) >= _least(outcome)
    ]
    found: list[Leak] = []
    for name in dict.fromkeys(part.column for part in sorted(parts, key=lambda part: -part.rows.sum())):
        left = without(columns, [name, *known])
        if not left:
            break
        told = told_out_of_fold(left.values(), outcome, seed)
        of_name = [_leak(part, alone[name], told, outcome) for part in parts if part.column == name]
        surest = max((leak for leak in of_name if leak), key=lambda leak: leak.rows, default=None)
        if surest is not None:
            found.append(surest)
    return found


def _pure(name: str, cells: Cells, outcome: Outcome) -> list[_Part]:
    """The values whose rows have nearly the same label."""
    found = []
    counts = np.bincount(cells.index, minlength=len(cells.names))
    total = outcome.z.var(axis=0)
    for part, z in enumerate(outcome.z.T):
        means = np.bincount(cells.index, z, len(counts)) / np.maximum(counts, 1)
        spread = np.bincount(cells.index, np.square(z), len(counts)) / np.maximum(counts, 1) - np.square(means)
        limit = NEARLY_PURE if outcome.is_classes else NEARLY_PURE * total[part]
        is_pure = (counts >= LEAST_ROWS) & (spread <= limit)
        for place in np.flatnonzero(is_pure):
            if cells.are_ordered and not _is_abrupt(int(place), means, counts, is_pure, _least(outcome)):
                continue
            found.append(_Part(name, cells.index == place, cells.names[place], part, float(means[place])))
    return found


def _is_abrupt(place: int, means: Numbers, counts: NDArray[np.int64], is_pure: NDArray[np.bool_], least: float) -> bool:
    """Whether the numbers next to a pure value, and to those that are as pure, have another mean by at least so much.

    Where a column tells the label by degrees, its extremes are pure too, and so, nearly, are the numbers beside them.
    """
    if place == len(means) - 1:  # Empty cells, which nothing stands beside.
        return True
    ordered = range(len(means) - 1)
    for step in (-1, 1):
        beside = place + step
        while beside in ordered and (
            counts[beside] < LEAST_ROWS or (is_pure[beside] and abs(means[beside] - means[place]) < least)
        ):
            beside += step
        if beside in ordered and abs(means[beside] - means[place]) < least:
            return False
    return True


def _leak(part: _Part, alone: float, told: Numbers, outcome: Outcome) -> Leak | None:
    """The value as a leak, where the others expect something else of its rows."""
    rows, count = part.rows, int(part.rows.sum())
    expected = float(np.clip(told[rows, part.part], 0, 1).mean())
    # With one row of each class added, so that a value without exceptions is not taken for certain.
    careful = (part.mean * count + 1) / (count + 2)
    error = np.sqrt(careful * (1 - careful) / count) if outcome.is_classes else 0.0
    if abs(part.mean - expected) - NUM_ERRORS * error < _least(outcome):
        return None
    others = skill(outcome.z, told)
    label = outcome.names[part.part] if outcome.names else ""
    return Leak(part.column, alone, others, part.value, count, part.mean, expected, label)


def _least(outcome: Outcome) -> float:
    return LEAST_SURPRISE * (1 if outcome.is_classes else OF_RANKS)
