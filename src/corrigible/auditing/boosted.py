"""Predictions of an outcome from many columns, by gradient boosting, for rows that it did not learn from."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from corrigible.auditing.columns import Column, Numbers, matrix_of
from corrigible.auditing.outcomes import Outcome
from corrigible.boosting import Boosted

NUM_FOLDS = 3


def told_out_of_fold(columns: Iterable[Column], outcome: Outcome, seed: int) -> Numbers:
    """For each row what a boosting of the rows of other folds tells of its outcome, (row, part)."""
    return out_of_fold(*matrix_of(columns), outcome.z, seed)


def out_of_fold(x: Numbers, is_category: NDArray[np.bool_], z: Numbers, seed: int) -> Numbers:
    """For each row what a boosting of the rows of other folds predicts, (row, part)."""
    folds = np.random.default_rng(seed).permutation(len(x)) % NUM_FOLDS
    found = np.empty_like(z)
    for fold in range(NUM_FOLDS):
        learn, tell = folds != fold, folds == fold
        found[tell] = Boosted(x[learn], z[learn], is_category, seed).predict(x[tell])
    return found
