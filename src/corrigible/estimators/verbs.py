"""The verbs of a fitted estimator: explain, correct and measure."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pandas as pd
from sklearn.utils.validation import check_is_fitted

from corrigible.data.dataset import TensorData
from corrigible.data.table import inputs_of
from corrigible.errors import DataError, RecipeError
from corrigible.estimators.corrected import FittedRows, corrected_network
from corrigible.estimators.fitted_table import FittedTable
from corrigible.estimators.given_rows import given_rows
from corrigible.estimators.learning import loss_for
from corrigible.evaluation import evaluate
from corrigible.explanations.explaining import Method, explain
from corrigible.explanations.features import feature_index
from corrigible.explanations.groups import by_group
from corrigible.feedback.checks import as_list
from corrigible.models.monotone import has_directions
from corrigible.protocols.limiting.limit_influence import limit_influence
from corrigible.surgery import LimitedInputs
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
                which are not linear in the outputs, and where an influence is averaged out, permutation_shapley.

        Raises:
            NotFittedError: before `fit`.
            DataError: rows that do not fit, a class that is unknown.
        """
        frame = self._framed(X)
        if y is not None:
            settings["target"] = self._target(y, frame)
        x, columns, task = inputs_of(frame, self.encoder_), self.encoder_.columns, self._task
        method = method or self._explainer
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
            DataError: the estimator was loaded or unpickled, and holds no rows; or an influence is limited already.
            FeedbackError: feedback that does not fit the rows.
        """
        rows = self._rows_of_fit("correct it on")
        if hasattr(self, "limited_"):
            raise DataError(f"the influence of {self.limited_.what} is limited already; correct first, then limit")
        own = {
            "seed": self._fitted.seed,
            "learning_rate": self.learning_rate,
            "loss": loss_for(rows.data),
            "device": self.device,
        }
        corrected = copy.copy(self)
        corrected._said = [*self._said, *as_list(feedback)]
        corrected.network_ = corrected_network(self.network_, rows, corrected._said, **{**own, **settings})
        corrected.verdict_ = getattr(corrected.network_, "verdict", None)
        return corrected

    def limit_influence(
        self: Estimator,
        features: str | Sequence[str],
        *,
        X: Any = None,
        y: Any = None,
        sensitive_features: Any = None,
        exposure: Any = None,
        **settings: Any,
    ) -> Estimator:
        """A copy, fitted, on which these columns have no influence, or a bounded one; nothing is trained.

        Its attribute ``limited_``, to be printed, says what the model lost, and what the columns can still do: how well
        other columns, and the predictions alone, tell them.

        Args:
            features: names of columns.
            X, y, sensitive_features, exposure: rows on which all is measured, as in `evaluate`; None for those of
                `fit`, on which a model looks better than it is.
            settings: ``share``, ``removal``, ``rescale``, ``schedule`` and ``seed`` of `corrigible.limit_influence`.

        Raises:
            NotFittedError: before `fit`.
            DataError: the estimator was loaded or unpickled, and holds no rows; rows that do not fit.
            FeedbackError: a column that the network does not see.
            RecipeError: settings out of range, a copy whose influence is limited already, or with ``monotonic_cst``
                the removal "expected", which may break it.
        """
        if has_directions(self.network_) and settings.get("removal", "expected") == "expected":
            told = "what other columns tell of a limited one may break monotonic_cst"
            raise RecipeError(f"{told}; choose removal='average', 'mean' or 'baseline'")
        rows = self._rows_of_fit("limit it on").data
        measured = rows if X is None else self._measured(X, y, sensitive_features, exposure)
        asked = {"seed": self._fitted.seed, "validation": measured, **settings}
        limited = copy.copy(self)
        limited.network_ = limit_influence(self.network_, rows, inputs=features, **asked)
        limited.limited_ = limited.network_.limited  # type: ignore[assignment]
        limited.network_.verdict = getattr(self, "verdict_", None)  # type: ignore[assignment]
        return limited

    def evaluate(
        self, X: Any, y: Any, *, sensitive_features: Any = None, exposure: Any = None, **settings: Any
    ) -> Measurements:
        """Measurements on these rows, each with its 95 % interval; by group if ``sensitive_features`` are given.

        ``settings`` are those of `corrigible.evaluate`, such as ``metrics``.

        Raises:
            NotFittedError: before `fit`.
            DataError: rows or labels that do not fit.
        """
        return evaluate(self.network_, self._measured(X, y, sensitive_features, exposure), **settings)

    def _measured(self, X: Any, y: Any, sensitive_features: Any, exposure: Any) -> TensorData:
        """Rows to measure on, checked and encoded."""
        frame = self._framed(X)
        self._fitted.require_exposure(exposure)
        labels = self._numbered(self._labels(y, frame))
        rows = given_rows(frame, labels, sensitive_features=sensitive_features, exposure=exposure)
        rows = replace(rows, class_names=self._class_names)
        return rows.data(inputs_of(frame, self.encoder_), self.encoder_.columns, self._labels_mean)

    def _rows_of_fit(self, purpose: str) -> FittedRows:
        """The rows of `fit`; DataError if there are none."""
        check_is_fitted(self)
        rows: FittedRows | None = vars(self).get("_rows")
        if rows is None:
            found = f"this estimator was loaded or unpickled, and holds no rows to {purpose}"
            raise DataError(f"{found}; fit it here: fit(X, y), which takes feedback=… too")
        return rows

    @property
    def _explainer(self) -> str:
        """DeepLIFT, unless what is explained is not linear in the outputs of one pass."""
        averages = isinstance(self.network_, LimitedInputs) and len(self.network_.values) > 1
        return "permutation_shapley" if averages or self._task.score == "target_value" else "deep_lift"
