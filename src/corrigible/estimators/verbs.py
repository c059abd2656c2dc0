"""The verbs of a fitted estimator: explain, correct and measure."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import pandas as pd
from sklearn.utils.validation import check_is_fitted

from corrigible.data.dataset import TensorData
from corrigible.data.table import inputs_of
from corrigible.errors import DataError, FeedbackError, RecipeError
from corrigible.estimators.balance import balance
from corrigible.estimators.corrected import FittedRows, corrected_network
from corrigible.estimators.fitted_table import FittedTable
from corrigible.estimators.given_rows import given_rows
from corrigible.estimators.learning import loss_for
from corrigible.evaluation import evaluate
from corrigible.explanations.baselines import neutral_row
from corrigible.explanations.explaining import Method, explain
from corrigible.explanations.features import feature_index
from corrigible.explanations.groups import by_group
from corrigible.explanations.inputs import checked_target, contrast_of
from corrigible.explanations.question import question_of
from corrigible.feedback.checks import as_list
from corrigible.models.forward import Score
from corrigible.models.monotone import has_directions
from corrigible.models.predictive import all_outputs
from corrigible.protocols.limiting.limit_influence import limit_influence
from corrigible.regions.suspects import suspects
from corrigible.surgery import LimitedInputs
from corrigible.types import Feedback, Measurements

SUSPECTED = ("column", "suspicion", "effect", "low", "high", "times_others", "tells_label", "label")
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
                ``target`` and ``against`` may name a class: ``target="ill", against="well"``; a number is its place in
                ``classes_``.

        Raises:
            NotFittedError: before `fit`.
            DataError: rows that do not fit, a class that is unknown.
        """
        frame = self._framed(X)
        settings |= self._targets(frame, y, settings)
        x, columns, task = inputs_of(frame, self.encoder_), self.encoder_.columns, self._task
        method = method or self._explainer
        attribution = explain(self.network_, x, task=task, method=method, columns=columns, **settings).double()
        sums = by_group(attribution, feature_index(columns), num_groups=len(columns.features))
        found = pd.DataFrame(sums.numpy(), frame.index, list(columns.features))
        return found.reindex(columns=list(self._fitted.names), fill_value=0.0)

    def base_values(
        self, X: Any, y: Any = None, *, target: Any = None, against: Any = None, score: str | Score | None = None
    ) -> "pd.Series[float]":
        """The score from which each row's contributions start: with the row's sum in `explain`, the explained score.

        It is the score of the row that stands for "nothing here": the mean of each number, an even mix of a category's
        values. The sum is exact for methods that are complete, such as the usual ones. For classes it depends on which
        class is explained.

        Args:
            y, target, against, score: as given to `explain`.

        Raises:
            NotFittedError, DataError, RecipeError: as `explain`.
        """
        frame = self._framed(X)
        x, columns, task = inputs_of(frame, self.encoder_), self.encoder_.columns, self._task
        given = self._targets(frame, y, {"target": target, "against": against})
        asked = question_of(self.network_, x, given["target"], score=score, task=task)
        chosen = asked.target.cpu()
        if against is not None:
            others = checked_target(given["against"], len(x), task.num_outputs, name="against")
            chosen = contrast_of(chosen, others)
        outputs = all_outputs(self.network_, neutral_row(x, columns)[None], task=task).double()
        found = asked.scored(outputs.expand(len(x), -1), chosen, lambda: asked.index)
        return pd.Series(found.numpy(), frame.index, name="base value")

    def suspects(self, **settings: Any) -> pd.DataFrame:
        """The columns that the network may rely on by mistake, the most suspected first; a person looks at them.

        A column is suspected if the predictions rest on it and it tells the label by itself. For each: its suspicion,
        in per cent of the first one's; the fall in the score of the predicted class, or for other tasks how far the
        prediction moves, when it holds other rows' values, with its 95 % interval, and how many times that of the
        other columns it is; how well it alone tells the label, from 0 to 1; and the class it concerns, if it is one.

        Args:
            settings: as `corrigible.suspects` takes them.

        Raises:
            NotFittedError: before `fit`.
            DataError: the estimator was loaded or unpickled, and holds no rows.
        """
        data = self._rows_of_fit("look at").data
        found = suspects(self.network_, data, **{"seed": self._fitted.seed, **settings})
        first = found[0].score if found else 1.0
        rows = [
            {
                "column": ", ".join(getattr(one.region, "names", ())),
                "suspicion": 100 * one.score / first,
                "effect": one.test.effect,
                "low": one.test.low,
                "high": one.test.high,
                "times_others": one.test.ratio,
                "tells_label": one.agreement,
                "label": one.class_name,
            }
            for one in found
        ]
        return pd.DataFrame(rows, columns=list(SUSPECTED)).set_index("column")

    def correct(self: Estimator, feedback: Any, **settings: Any) -> Estimator:
        """A corrected copy, fitted, with the attribute ``verdict_``; the estimator itself is left as it is.

        It learns from the rows of `fit`, which the estimator keeps for this in memory; they are in no file.

        Args:
            feedback: about these rows, by the names of columns: ``Feedback("race", scope="dataset")``. The label of
                feedback about a class is its place in ``classes_``. Feedback of earlier corrections holds on.
            settings: as `corrigible.correct` takes them; ``validation`` is (X, y), rows that were not learned from. The
                learning rate is that of the estimator, and where `fit` held rows out, the correction takes half as many
                epochs as `fit` took until these were predicted best.

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
            **self._fitted.watched.epochs_to_correct(),
        }
        if settings.get("validation") is not None:
            settings["validation"] = self._validation(settings["validation"])
        corrected = copy.copy(self)
        corrected._said = [*self._said, *map(self._understood, as_list(feedback))]
        corrected.network_ = corrected_network(self.network_, rows, corrected._said, **{**own, **settings})
        corrected.verdict_ = getattr(corrected.network_, "verdict", None)
        if (enforced := getattr(corrected.network_, "enforced", None)) is not None:
            corrected.enforced_ = enforced
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

        Predictions of amounts and counts are brought into balance again, as after `fit`.

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
        rows = self._rows_of_fit("limit it on").data
        if has_directions(self.network_) and settings.get("removal", "expected") == "expected":
            found = "removal='expected' computes a limited column from others, which may break monotonic_cst"
            raise RecipeError(f"{found}; choose removal='average', 'mean' or 'baseline'")
        measured = rows if X is None else self._measured(X, y, sensitive_features, exposure)
        asked = {"seed": self._fitted.seed, "validation": measured, "finish": partial(balance, data=rows), **settings}
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
        measured = self._measured(X, y, sensitive_features, exposure)
        return evaluate(self.network_, measured, **settings)

    def _understood(self, said: Feedback) -> Feedback:
        """The feedback itself; raises FeedbackError for a class by its name, with the number to give."""
        names = self._class_names
        if isinstance(said.label, str):
            place = (
                f"label={names.index(said.label)}" if said.label in names else f"one of {', '.join(names) or 'none'}"
            )
            raise FeedbackError(
                f"the feedback's label is {said.label!r}; expected the class's place in classes_: {place}"
            )
        return said

    def _validation(self, given: Any) -> TensorData:
        """Rows to judge a correction on: encoded, if they are not yet."""
        if isinstance(given, TensorData):
            return given
        if not isinstance(given, tuple) or len(given) not in (2, 3):
            raise DataError(f"validation is a {type(given).__name__}; expected (X, y), or (X, y, exposure)")
        return self._measured(given[0], given[1], None, *(given[2:] or (None,)))

    def _targets(self, frame: pd.DataFrame, y: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What ``target`` and ``against`` are as numbers; DataError for a class that is unknown, or named twice."""
        found = {
            name: self._place(name, asked[name]) if isinstance(asked[name], str) else asked[name]
            for name in ("target", "against")
            if name in asked
        }
        if y is None:
            return found
        if found.get("target") is not None:
            raise DataError("both y and target say which class to explain; expected one of them")
        return {**found, "target": self._target(y, frame)}

    def _place(self, name: str, label: str) -> int:
        if label not in self._class_names:
            known = ", ".join(self._class_names) or "no classes: give the number of the output"
            raise DataError(f"{name} is {label!r}; expected one of {known}")
        place: int = self._class_names.index(label)
        return place

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
