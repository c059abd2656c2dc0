"""A fitted estimator: its network and encoder, and its way into a folder and back."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from corrigible.data.table import inputs_of
from corrigible.data.table_encoder import TableEncoder
from corrigible.data.trained_columns import remember_columns
from corrigible.errors import DataError, RecipeError
from corrigible.estimators.given_rows import frame_of
from corrigible.estimators.kept import KEPT, Kept, as_json, read_kept
from corrigible.estimators.learning import Fitted
from corrigible.estimators.predicted import outputs_of, predicted
from corrigible.folders import new_folder
from corrigible.manifest import Manifest
from corrigible.models.weights import load_weights, read_weights, save_weights
from corrigible.protocols.corrections.verdict import Verdict
from corrigible.protocols.fairness.enforced import Enforced
from corrigible.protocols.limiting.limited import Limited
from corrigible.sealing import WEIGHTS, seal
from corrigible.surgery import limited_as
from corrigible.tasks import task_named
from corrigible.types import Feedback, Measurement, Task

Estimator = TypeVar("Estimator", bound="FittedTable")


class FittedTable(BaseEstimator):  # type: ignore[misc]
    """What an estimator of a table has learned; see `TabularClassifier` and `TabularRegressor`."""

    tasks: tuple[str, ...] = ()
    """The tasks whose labels it learns, the usual one first."""
    verdict_: Verdict | None
    limited_: Limited
    enforced_: Enforced
    _said: list[Feedback]  # The feedback of all corrections so far.
    network_: nn.Module
    encoder_: TableEncoder
    _fitted: Fitted

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
        if unknown := sorted(set(kept.params) - set(cls._get_param_names())):
            raise DataError(f"{Path(folder, KEPT)} holds the unknown parameters {', '.join(unknown)}; save it again")
        found = cls(**kept.params)
        try:
            found._put_back(kept, Path(folder, WEIGHTS))
        except RecipeError as error:
            found_there = f"{Path(folder, KEPT)} is not as `save` wrote it ({error})"
            raise DataError(f"{found_there}; save the estimator again") from error
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "_rows"}

    def __deepcopy__(self: Estimator, memo: dict[int, Any]) -> Estimator:
        """A copy in memory, which keeps the rows, as pickles do not."""
        return self._copied({name: copy.deepcopy(value, memo) for name, value in vars(self).items()})

    def __copy__(self: Estimator) -> Estimator:
        return self._copied(vars(self))

    def _copied(self: Estimator, values: Mapping[str, Any]) -> Estimator:
        found = type(self).__new__(type(self))
        found.__dict__.update(values)
        return found

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _framed(self, X: Any) -> pd.DataFrame:
        check_is_fitted(self)
        return frame_of(X, self, names=self._fitted.names)

    def _outputs(self, X: Any) -> Float[Tensor, " row output"]:
        frame = self._framed(X)
        return outputs_of(self.network_, inputs_of(frame, self.encoder_), self._task)

    def _predicted(self, X: Any) -> dict[str, Tensor]:
        frame = self._framed(X)
        return predicted(self.network_, inputs_of(frame, self.encoder_), self._task)

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
        self.interactions_ = [tuple(pair) for pair in self._fitted.network.settings.get("interactions", ())]

    def _kept(self) -> Kept:
        seed = self.random_state if isinstance(self.random_state, int | None) else self._fitted.seed
        return Kept(
            name=type(self).__name__,
            params={**self.get_params(deep=False), "random_state": seed},
            fitted=self._fitted,
            is_named=hasattr(self, "feature_names_in_"),
            classes=getattr(self, "classes_", None),
            verdict=getattr(self, "verdict_", None),
            limited=getattr(self, "limited_", None),
            enforced=getattr(self, "enforced_", None),
        )

    def _put_back(self, kept: Kept, weights: Path) -> None:
        self._fitted, names = kept.fitted, kept.fitted.names
        self.n_features_in_ = len(names)
        if kept.is_named:
            self.feature_names_in_ = np.array(names, dtype=object)
        if kept.classes is not None:
            self.classes_ = kept.classes
        network, task = kept.fitted.network.built(), self._task
        if kept.limited is not None:
            self.limited_ = kept.limited
            network = limited_as(network, read_weights(weights), task=task)
        load_weights(network, weights)
        self._show(network)
        remember_columns(self.network_, kept.fitted.encoder.columns)
        if kept.enforced is not None:
            self.enforced_ = self.network_.enforced = kept.enforced  # type: ignore[assignment]
        if kept.verdict is not None:
            self.verdict_ = kept.verdict
            self.network_.verdict = kept.verdict  # type: ignore[assignment]
