"""Gradient boosting of trees on histograms, as scikit-learn fits it, for whoever asks what columns tell."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

Numbers = NDArray[np.float64]
SETTINGS = {"max_iter": 80, "learning_rate": 0.1, "max_leaf_nodes": 15, "early_stopping": False}
LARGEST_LEAF = 20
"""The least rows of a leaf, where there are many."""
PARTS_OF_ROWS = 10
"""A leaf may hold a tenth of the rows, or the splits that few rows allow are never made."""
PARTS_OF_RAREST = 3
"""And a third of the rarest class, which would else have no leaf of its own."""
LEAST_TO_LEARN = 5
"""Rows of a class; rarer ones cannot be learned, and leaves are not made smaller for them."""


class Boosted:
    """A boosting for each part of an outcome, which predicts its expectation.

    Args:
        rarest: the number of rows of the smallest group of inputs that the boosting must be able to separate; None for
            no such group.
    """

    def __init__(
        self, x: Numbers, z: Numbers, is_category: NDArray[np.bool_], seed: int, *, rarest: int | None = None
    ) -> None:
        self._known, self._means = _known(x), z.mean(axis=0)
        self._models = []
        for part in z.T if self._known.any() else ():
            settings = _settings(is_category[self._known], seed, _leaf(part, rarest))
            self._models.append(HistGradientBoostingRegressor(**settings).fit(x[:, self._known], part))

    def predict(self, x: Numbers) -> Numbers:
        """(row, part); the mean where no column holds anything to learn from."""
        if not self._models:
            return np.tile(self._means, (len(x), 1))
        return np.column_stack([model.predict(x[:, self._known]) for model in self._models])


class Chances:
    """A boosting of classes.

    Args:
        rarest: as for ``Boosted``.
    """

    def __init__(
        self, x: Numbers, y: NDArray[np.int64], is_category: NDArray[np.bool_], seed: int, *, rarest: int | None = None
    ) -> None:
        self.classes: NDArray[np.int64]
        self._known = _known(x)
        self.classes, counts = np.unique(y, return_counts=True)
        self._shares = counts / len(y)
        self._model = None
        if self._known.any() and len(self.classes) > 1:
            settings = _settings(is_category[self._known], seed, _leaf(y, rarest))
            self._model = HistGradientBoostingClassifier(**settings).fit(x[:, self._known], y)

    def predict(self, x: Numbers) -> Numbers:
        """The probability of each class, (row, class); the shares where there is nothing to learn."""
        if self._model is None:
            return np.tile(self._shares, (len(x), 1))
        found: Numbers = self._model.predict_proba(x[:, self._known])
        return found


def _leaf(part: NDArray[Any], rarest: int | None) -> int:
    """The least rows of a leaf, by the rows and by the rarest class or group."""
    held, counts = np.unique(part, return_counts=True)
    least = [LARGEST_LEAF, len(part) // PARTS_OF_ROWS]
    of_classes = counts[counts >= LEAST_TO_LEARN] if len(held) == 2 or part.dtype.kind == "i" else counts[:0]
    least += [int(count) // PARTS_OF_RAREST for count in (*of_classes, *(() if rarest is None else (rarest,)))]
    return max(1, min(least))


def _known(x: Numbers) -> NDArray[np.bool_]:
    """The columns that are not empty everywhere, which boosting cannot read."""
    return np.asarray(np.isfinite(x).any(axis=0))


def _settings(is_category: NDArray[np.bool_], seed: int, leaf: int) -> dict[str, Any]:
    return {**SETTINGS, "categorical_features": is_category, "random_state": seed, "min_samples_leaf": leaf}
