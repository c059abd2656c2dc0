"""What both estimators do: learn a table; explain, correct, measure and keep its network."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from corrigible.data.labelling import name_of_task
from corrigible.data.table import inputs_of
from corrigible.data.trained_columns import remember_columns
from corrigible.errors import DataError, RecipeError
from corrigible.estimators.corrected import FittedRows, corrected_network
from corrigible.estimators.given_rows import GivenRows, frame_of, given_rows
from corrigible.estimators.kept import KEPT, Kept, as_json, read_kept
from corrigible.estimators.learning import LOSS, SETTINGS, HowToLearn, learned
from corrigible.evaluation import evaluate
from corrigible.explanations.explaining import Method, explain
from corrigible.explanations.features import feature_index
from corrigible.explanations.groups import by_group
from corrigible.feedback.checks import as_list
from corrigible.folders import new_folder
from corrigible.manifest import Manifest
from corrigible.models.networks import copied
from corrigible.models.predictive import all_outputs
from corrigible.models.weights import load_weights, save_weights
from corrigible.protocols.corrections.verdict import Verdict
from corrigible.sealing import WEIGHTS, seal
from corrigible.tasks import TaskChoice, task_named
from corrigible.types import Feedback, Measurement, Measurements, Task

Estimator = TypeVar("Estimator", bound="TabularEstimator")


class TabularEstimator(BaseEstimator):  # type: ignore[misc]
    """A network for a table; see `TabularClassifier` and `TabularRegressor`."""

    tasks: tuple[str, ...] = ()
    """The tasks whose labels it learns, the usual one first."""
    verdict_: Verdict | None
    _said: list[Feedback]  # The feedback of all corrections so far.

    def __init__(
        self,
        *,
        task: TaskChoice | None = None,
        hidden_layer_sizes: Sequence[int] = (128, 128),
        ensemble: int = 8,
        max_epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float = 2e-3,
        weight_decay: float = 3e-4,
        validation_fraction: float = 0.1,
        patience: int = 20,
        random_state: Any = None,
        device: Any = None,
    ) -> None:
        self.task = task
        self.hidden_layer_sizes = hidden_layer_sizes
        self.ensemble = ensemble
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.device = device

    def fit(
        self: Estimator,
        X: Any,
        y: Any,
        *,
        sensitive_features: Any = None,
        sample_weight: Any = None,
        exposure: Any = None,
        feedback: Any = None,
    ) -> Estimator:
        """The estimator itself, fitted; with feedback, also corrected.

        Rows that are equal are learned as one with the sum of their weights, so that a weight of 2 is the same as the
        row twice; the order of the rows does not matter. With at least 200 different rows, a share of them
        (``validation_fraction``) is held out to say when to stop.

        Args:
            X: a frame of pandas, Polars or PyArrow, or an array, (row, feature), of numbers, text or truth values.
            y: the label of each row.
            sensitive_features: the group of each row, no feature: predictions never need it, and only penalties given
                to `correct` use it, as ``batch.group``.
            sample_weight: how much each row counts, at least 0; rows of weight 0 are left out.
            exposure: for counts and positive amounts, such as the years of a contract; above 0.
            feedback: what must not matter, by the names of columns, see `correct`.

        Raises:
            DataError: columns or labels that cannot be learned from.
            RecipeError: a parameter out of range.
        """
        frame = frame_of(X, self)
        given = {"sensitive_features": sensitive_features, "sample_weight": sample_weight, "exposure": exposure}
        self._learn(given_rows(frame, self._labels(y, frame), **given))
        if feedback is not None:
            self.__dict__.update(vars(self.correct(feedback)))
        return self

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

    def seal(self, folder: str | Path, *, evidence: Sequence[Measurement] = (), anyway: bool = False) -> Manifest:
        """The manifest of a new folder with the estimator and these measurements, as `corrigible.seal` writes it.

        Raises:
            NotFittedError: before `fit`.
            SealError, StudyError: as `corrigible.seal`.
        """
        check_is_fitted(self)
        return seal(self.network_, folder, evidence=evidence, files={KEPT: as_json(self._kept())}, anyway=anyway)

    def save(self, folder: str | Path) -> None:
        """Write the fitted estimator into a new folder: weights as safetensors, all else as JSON, no rows.

        Raises:
            NotFittedError: before `fit`.
            StudyError: the name is taken, or the folder cannot be written.
        """
        check_is_fitted(self)
        with new_folder(folder) as draft:
            save_weights(self.network_, draft / WEIGHTS)
            (draft / KEPT).write_bytes(as_json(self._kept()))

    @classmethod
    def load(cls: type[Estimator], folder: str | Path) -> Estimator:
        """The estimator that `save` or `seal` wrote; nothing is unpickled or run.

        Raises:
            DataError: files that are missing, corrupt or of another estimator.
        """
        kept = read_kept(Path(folder), cls.__name__)
        found = cls(**kept.params)
        found._put_back(kept)
        load_weights(found.network_, Path(folder, WEIGHTS))
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "_rows"}

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _learn(self, rows: GivenRows) -> None:
        places = np.flatnonzero(rows.weight > 0)
        rows = self._with_numbers(rows.at(places))
        chosen = {name: value for name, value in self.get_params(deep=False).items() if name in SETTINGS}
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        found = learned(rows, self._choice, HowToLearn(**chosen, seed=seed))
        self._said = []
        self._fitted, self._rows = found.fitted, FittedRows(found.data, places)
        self._show(found.network)
        self.__dict__.pop("verdict_", None)
        if not self._fitted.watched.has_converged:
            told = f"the loss was still falling after {self.n_iter_} epochs; raise max_epochs"
            warnings.warn(told, ConvergenceWarning, stacklevel=3)

    def _framed(self, X: Any) -> pd.DataFrame:
        check_is_fitted(self)
        return frame_of(X, self, names=self._fitted.names)

    def _outputs(self, X: Any) -> Float[Tensor, " row output"]:
        """The network's outputs, in float64: in float32 the last digits depend on how many rows run at once."""
        x = inputs_of(self._framed(X), self.encoder_)
        return all_outputs(copied(self.network_).double(), x, task=self._task)

    @property
    def _choice(self) -> TaskChoice:
        """The task that was chosen, or the usual one; raises RecipeError for a task of other labels."""
        chosen = self.tasks[0] if self.task is None else self.task
        if (name := name_of_task(chosen)) not in self.tasks:
            raise RecipeError(f"task is {name!r}; expected one of {', '.join(self.tasks)}")
        return chosen

    @property
    def _task(self) -> Task:
        """What the outputs mean, which depends on the labels in their number of classes alone."""
        labels = torch.arange(len(self._class_names)) if self._class_names else torch.tensor([1.0, 2.0])
        return task_named(self._fitted.task, labels)

    def _show(self, network: nn.Module) -> None:
        """Set what scikit-learn's users look for after a fit."""
        self.network_, self.encoder_ = network, self._fitted.encoder
        watched = self._fitted.watched
        self.loss_curve_, self.validation_loss_curve_ = list(watched.losses), list(watched.held_out_losses)
        self.n_iter_ = len(watched.losses)

    def _kept(self) -> Kept:
        seed = self.random_state if isinstance(self.random_state, int | None) else self._fitted.seed
        return Kept(
            name=type(self).__name__,
            params={**self.get_params(deep=False), "random_state": seed},
            fitted=self._fitted,
            is_named=hasattr(self, "feature_names_in_"),
            classes=getattr(self, "classes_", None),
            verdict=getattr(self, "verdict_", None),
        )

    def _put_back(self, kept: Kept) -> None:
        self._fitted, names = kept.fitted, kept.fitted.names
        self.n_features_in_ = len(names)
        if kept.is_named:
            self.feature_names_in_ = np.array(names, dtype=object)
        if kept.classes is not None:
            self.classes_ = kept.classes
        self._show(kept.fitted.network.built())
        remember_columns(self.network_, kept.fitted.encoder.columns)
        if kept.verdict is not None:
            self.verdict_ = kept.verdict
            self.network_.verdict = kept.verdict  # type: ignore[assignment]
