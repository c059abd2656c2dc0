"""A regressor for tables: amounts, counts, positive amounts and quantiles."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import RegressorMixin

from corrigible.data.dataset import task_of
from corrigible.errors import DataError
from corrigible.estimators.given_rows import GivenRows, amounts_of, given_rows
from corrigible.estimators.tabular import TabularEstimator
from corrigible.tasks import TaskChoice


class TabularRegressor(RegressorMixin, TabularEstimator):  # type: ignore[misc]
    """A network that predicts a number for each row of a table, and that people can correct.

    The parameters are those of `TabularClassifier`, except for the task. Means are balanced: on the rows of `fit`, and
    after `correct`, the predicted amounts, counts or positive amounts sum to the labels, by weight and exposure.

    Args:
        task: "amounts" (the mean, by squared error), "counts" (Poisson), "positive_amounts" (Gamma or Tweedie) or
            "quantiles", or with settings ``{"name": "quantiles", "levels": [0.1, 0.9]}``. None for the first.

    Attributes:
        encoder_, network_, loss_curve_, validation_loss_curve_, n_iter_, verdict_, n_features_in_ and
            feature_names_in_ are those of `TabularClassifier`.

    Examples:
        >>> import numpy as np
        >>> from corrigible import TabularRegressor
        >>> X = np.linspace(0, 1, 40)[:, None]
        >>> model = TabularRegressor(random_state=0).fit(X, 3 * X[:, 0])
        >>> model.predict(X).shape
        (40,)
        >>> bool(model.score(X, 3 * X[:, 0]) > 0.9)
        True
    """

    tasks = ("amounts", "counts", "positive_amounts", "quantiles")

    def predict(self, X: Any) -> NDArray[np.float64]:
        """The predicted number of each row, in the unit of y; of several quantiles one column each, in ascending order.

        Counts and positive amounts are per unit of exposure.

        Raises:
            NotFittedError: before `fit`.
            DataError, ValueError: rows that do not fit those of training.
        """
        found, task = self._predicted(X), self._task
        several = task.name == "quantiles" and task.num_outputs > 1
        values: NDArray[np.float64] = found["quantiles" if several else "predicted"].numpy()
        return values

    def score(self, X: Any, y: Any, sample_weight: Any = None, exposure: Any = None) -> float:
        """R² for amounts; for other tasks the share of the deviance or pinball loss that is explained; 1 is perfect.

        Raises:
            NotFittedError: before `fit`.
            DataError, ValueError: rows or labels that do not fit.
        """
        outputs, task = self._outputs(X), self._task
        if task.name == "amounts":
            return float(super().score(X, y, sample_weight))
        frame = self._framed(X)
        self._fitted.require_exposure(exposure)
        rows = given_rows(frame, self._labels(y, frame), sample_weight=sample_weight, exposure=exposure)
        data = rows.data(outputs.new_zeros(len(frame), 1), None, self._labels_mean)
        quality = task_of(data).quality(outputs, data.y, data.extra)
        return float(np.average(quality.numpy(), weights=rows.weight))

    def _labels(self, y: Any, frame: pd.DataFrame) -> NDArray[np.float64]:
        return amounts_of(y, len(frame))

    def _with_numbers(self, rows: GivenRows) -> GivenRows:
        return rows

    def _numbered(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        return labels

    def _target(self, y: Any, frame: pd.DataFrame) -> NDArray[np.int64]:
        raise DataError("y names the class to explain, and there are none; leave y out, or give target= for a quantile")

    @property
    def _class_names(self) -> tuple[str, ...]:
        return ()

    @property
    def _labels_mean(self) -> TaskChoice:
        """What labels of other rows mean: their figures, such as their spread, are their own."""
        return self._fitted.task
