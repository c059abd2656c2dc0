"""What many columns together tell of an outcome, learned by gradient boosting and told of other rows."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from corrigible.auditing.columns import Column, Numbers, matrix_of
from corrigible.auditing.outcomes import Outcome

SETTINGS = {"max_iter": 80, "learning_rate": 0.1, "max_leaf_nodes": 15, "early_stopping": False}
NUM_FOLDS = 3


class Boosted:
    """A boosting for each part of an outcome, which predicts its expectation."""

    def __init__(self, x: Numbers, z: Numbers, is_category: NDArray[np.bool_], seed: int) -> None:
        self._known = _known(x)
        settings = _settings(is_category[self._known], seed)
        self._models = [HistGradientBoostingRegressor(**settings).fit(x[:, self._known], part) for part in z.T]

    def predict(self, x: Numbers) -> Numbers:
        """(row, part)."""
        return np.column_stack([model.predict(x[:, self._known]) for model in self._models])


class Chances:
    """A boosting of classes."""

    def __init__(self, x: Numbers, y: NDArray[np.int64], is_category: NDArray[np.bool_], seed: int) -> None:
        self._known = _known(x)
        settings = _settings(is_category[self._known], seed)
        self._model = HistGradientBoostingClassifier(**settings).fit(x[:, self._known], y)
        self.classes: NDArray[np.int64] = self._model.classes_

    def predict(self, x: Numbers) -> Numbers:
        """The probability of each class, (row, class)."""
        found: Numbers = self._model.predict_proba(x[:, self._known])
        return found


def _known(x: Numbers) -> NDArray[np.bool_]:
    """The columns that are not empty everywhere, which boosting cannot read."""
    return np.asarray(np.isfinite(x).any(axis=0))


def _settings(is_category: NDArray[np.bool_], seed: int) -> dict[str, Any]:
    return {**SETTINGS, "categorical_features": is_category, "random_state": seed}


def told_out_of_fold(columns: Iterable[Column], outcome: Outcome, seed: int) -> Numbers:
    """For each row what a boosting of the rows of other folds tells of its outcome, (row, part)."""
    x, is_category = matrix_of(columns)
    folds = np.random.default_rng(seed).permutation(len(x)) % NUM_FOLDS
    found = np.empty_like(outcome.z)
    for fold in range(NUM_FOLDS):
        learn, tell = folds != fold, folds == fold
        found[tell] = Boosted(x[learn], outcome.z[learn], is_category, seed).predict(x[tell])
    return found
