"""The verbs of a fitted estimator: explain, correct and measure."""

from dataclasses import replace
from typing import Any, TypeVar

import pandas as pd
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from corrigible.data.table import inputs_of
from corrigible.errors import DataError
from corrigible.estimators.corrected import FittedRows, corrected_network
from corrigible.estimators.fitted_table import FittedTable
from corrigible.estimators.given_rows import given_rows
from corrigible.estimators.learning import LOSS
from corrigible.evaluation import evaluate
from corrigible.explanations.explaining import Method, explain
from corrigible.explanations.features import feature_index
from corrigible.explanations.groups import by_group
from corrigible.feedback.checks import as_list
from corrigible.types import Measurements

Estimator = TypeVar("Estimator", bound="TableVerbs")


class TableVerbs(FittedTable):
    """What can be done with an estimator once it is fitted."""

    def explain(self, X: Any, y: Any = None, *, method: Method | None = None, **settings: Any) -> pd.DataFrame:
        """How much each feature contributed to each row's prediction: a frame like X, one number per row and feature.

        For classes, the logit of the predicted class is explained, or of the class that ``y`` names; for other tasks
        the prediction. A category is one feature. A column that `fit` dropped, because it holds one value only, has 0.

        Args:
            y: for classes, the class to explain of each row.
            method, settings: as `corrigible.explain` takes them. None for deep_lift; for quantiles and ordered classes,
                which are not linear in the outputs, permutation_shapley.

        Raises:
            NotFittedError: before `fit`.
            DataError: rows that do not fit, a class that is unknown.
        """
        frame = self._framed(X)
        if y is not None:
            settings["target"] = self._target(y, frame)
        x, columns, task = inputs_of(frame, self.encoder_), self.encoder_.columns, self._task
        method = method or ("permutation_shapley" if task.score == "target_value" else "deep_lift")
        attribution = explain(self.network_, x, task=task, method=method, columns=columns, **settings).double()
        sums = by_group(attribution, feature_index(columns), num_groups=len(columns.features))
        found = pd.DataFrame(sums.numpy(), frame.index, list(columns.features))
        return found.reindex(columns=list(self._fitted.names), fill_value=0.0)

    def correct(self: Estimator, feedback: Any, **settings: Any) -> Estimator:
        """A corrected copy, fitted, with the attribute ``verdict_``; the estimator itself is left as it is.

        It learns from the rows of `fit`, which the estimator keeps for this in memory; they are in no file.

        Args:
            feedback: about these rows, by the names of columns: ``Feedback("race", scope="dataset")``. The label of
                feedback about a class is its place in ``classes_``. Feedback of earlier corrections holds on.
            settings: as `corrigible.correct` takes them; the learning rate is that of the estimator.

        Raises:
            NotFittedError: before `fit`.
            DataError: the estimator was loaded or unpickled, and holds no rows.
            FeedbackError: feedback that does not fit the rows.
        """
        check_is_fitted(self)
        rows: FittedRows | None = vars(self).get("_rows")
        if rows is None:
            found = "this estimator was loaded or copied, and holds no rows to correct it on"
            raise DataError(f"{found}; fit it here: fit(X, y, feedback=…)")
        own = {"seed": self._fitted.seed, "learning_rate": self.learning_rate, "loss": LOSS, "device": self.device}
        corrected: Estimator = clone(self)
        corrected.__dict__.update(vars(self))
        corrected._said = [*self._said, *as_list(feedback)]
        corrected.network_ = corrected_network(self.network_, rows, corrected._said, **{**own, **settings})
        corrected.verdict_ = getattr(corrected.network_, "verdict", None)
        return corrected

    def evaluate(
        self, X: Any, y: Any, *, sensitive_features: Any = None, exposure: Any = None, **settings: Any
    ) -> Measurements:
        """Measurements on these rows, each with its 95 % interval; by group if ``sensitive_features`` are given.

        ``settings`` are those of `corrigible.evaluate`, such as ``metrics``.

        Raises:
            NotFittedError: before `fit`.
            DataError: rows or labels that do not fit.
        """
        frame = self._framed(X)
        self._fitted.require_exposure(exposure)
        labels = self._numbered(self._labels(y, frame))
        rows = given_rows(frame, labels, sensitive_features=sensitive_features, exposure=exposure)
        rows = replace(rows, class_names=self._class_names)
        data = rows.data(inputs_of(frame, self.encoder_), self.encoder_.columns, self._labels_mean)
        return evaluate(self.network_, data, **settings)
