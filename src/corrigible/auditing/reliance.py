"""Reliance on columns that must not count: how far predictions move when a row holds another row's values."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from corrigible.auditing.columns import Numbers
from corrigible.auditing.subject import Subject
from corrigible.intervals import bootstrapped_mean

NUM_DONORS = 10


@dataclass(frozen=True)
class Moved:
    """How far predictions move: of classes by probability, of amounts in their unit."""

    what: str
    mean: float
    """Mean over the rows of the absolute change; per row the mean over the donors that hold another value."""
    low: float
    high: float
    largest: float
    row: int
    """The place of the row whose prediction moves farthest."""
    before: str
    """What that row holds, and what it was given."""
    after: str
    predicted: float
    """That row's prediction before and after; of more than two classes the probability of the predicted one."""
    predicted_after: float
    rows: int
    """That could be changed."""


def reliance_on(
    names: Sequence[str], subject: Subject, frame: pd.DataFrame, scores: Numbers, seed: int
) -> Moved | None:
    """How far predictions move when these columns together hold other rows' values; None if all rows hold the same."""
    rng, count = np.random.default_rng(seed), len(frame)
    held = frame[list(names)].reset_index(drop=True)
    codes = held.groupby(list(names), dropna=False, observed=True).ngroup().to_numpy()
    if len(np.unique(codes)) < 2:
        return None
    sums, counts = np.zeros(count), np.zeros(count)
    best: tuple[float, int, int, float] = (-1.0, 0, 0, 0.0)
    for donors in _donors(codes, rng):
        given = frame.copy()
        for name in names:
            given[name] = frame[name].to_numpy()[donors] if _is_plain(frame[name]) else frame[name].array[donors]
        found = subject.checked(given)
        moved = distance(scores, found)
        changed = codes != codes[donors]
        sums[changed] += moved[changed]
        counts[changed] += 1
        row = int(np.where(changed, moved, -1).argmax())
        if moved[row] > best[0]:
            best = (float(moved[row]), row, int(donors[row]), shown(scores, found, row)[1])
    means = sums[counts > 0] / counts[counts > 0]
    return _moved(", ".join(names), means, best, held, shown(scores, scores, best[1])[0])


def distance(before: Numbers, after: Numbers) -> Numbers:
    """The absolute change of each row; of several classes half the sum, the share of probability that moves."""
    change = np.abs(after - before)
    found: Numbers = change[:, 0] if change.shape[1] == 1 else change.sum(axis=1) / 2
    return found


def shown(before: Numbers, after: Numbers, row: int) -> tuple[float, float]:
    """The prediction of a row before and after as one number each."""
    place = 0 if before.shape[1] == 1 else int(before[row].argmax())
    return float(before[row, place]), float(after[row, place])


def mean_with_interval(values: Numbers, seed: int = 0) -> tuple[float, float, float]:
    """The mean over rows with its 95 % interval."""
    low, high = bootstrapped_mean(torch.from_numpy(values.copy()), num_resamples=200, seed=seed).tolist()
    return float(values.mean()), low, high


def _moved(
    what: str, means: Numbers, best: tuple[float, int, int, float], held: pd.DataFrame, predicted: float
) -> Moved:
    largest, row, donor, after = best
    before, given = (", ".join(map(str, held.iloc[place])) for place in (row, donor))
    return Moved(what, *mean_with_interval(means), largest, row, before, given, predicted, after, len(means))


def _donors(codes: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Rows that give their values; of two different values all rows get the other one."""
    groups = [np.flatnonzero(codes == code) for code in np.unique(codes)]
    if len(groups) == 2:
        donors = np.empty(len(codes), dtype=np.int64)
        for one, other in ((0, 1), (1, 0)):
            donors[groups[one]] = rng.choice(groups[other], size=len(groups[one]))
        yield donors
        return
    for _ in range(NUM_DONORS):
        yield rng.permutation(len(codes))


def _is_plain(column: "pd.Series") -> bool:
    return isinstance(column.dtype, np.dtype)
