"""What a best-estimate model predicts of rows: an estimator, a pipeline, a function of rows, or a network."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from torch import Tensor, nn

from corrigible.data.frames import FrameForm, form_of
from corrigible.errors import CorrigibleError, UnsupportedModelError
from corrigible.models.networks import copied, described_model, network_of
from corrigible.models.predictive import all_outputs
from corrigible.named_functions import described
from corrigible.types import Task

EXPECTED = "expected a model with predict_proba or predict, a function of rows, or a network"


@dataclass(frozen=True)
class BestEstimate:
    """A model as a function of rows."""

    ask: Callable[[Any], Any]
    classes: NDArray[Any] | None = None
    """The classes that the columns are of, where the model names them."""
    to_given: Callable[[Any], Any] = field(default_factory=FrameForm)
    """Rows in the form that the user gave them in."""

    def of(self, rows: Any) -> NDArray[np.float64]:
        """A number of each row, (row,), or the probabilities of its classes, (row, class).

        Raises:
            UnsupportedModelError: the model fails, or gives no finite numbers of each row.
        """
        try:
            said = self.ask(self.to_given(_copied(rows)))
            found = np.array(said.numpy(force=True) if isinstance(said, Tensor) else said, dtype=np.float64)
        except CorrigibleError:
            raise
        except Exception as error:
            told = "give the rows that it was trained on, with the attribute as a column"
            raise UnsupportedModelError(f"the model fails on the rows ({described(error)}); {told}") from error
        found = found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found
        if found.ndim not in (1, 2) or len(found) != len(rows):
            what = "a number, or one probability for each class, of each row"
            raise UnsupportedModelError(f"the model gives shape {found.shape} for {len(rows):,} rows; expected {what}")
        if not bool(np.isfinite(found).all()):
            bad = int((~np.isfinite(found).reshape(len(found), -1).all(axis=1)).argmax())
            raise UnsupportedModelError(f"the model predicts {found[bad]} for row {bad}; expected finite numbers")
        return found


@dataclass(frozen=True)
class OfNetwork:
    """A network as a function of encoded rows: probabilities, or predictions."""

    network: nn.Module
    task: Task

    def __call__(self, x: Tensor) -> Tensor:
        observed = self.task.observed(all_outputs(self.network, x.double(), task=self.task))
        return observed["probs" if self.task.logits is not None else "predicted"].double()


def best_estimate(model: Any, X: Any, task: Task | None = None) -> BestEstimate:
    """The model as a function of rows; of classes it gives probabilities.

    Args:
        X: the user's rows, in whose form the model is asked.
        task: what the outputs of a network mean.

    Raises:
        UnsupportedModelError: no model, or a classifier without probabilities.
    """
    if isinstance(model, nn.Module):
        assert task is not None
        return BestEstimate(OfNetwork(copied(network_of(model)).double(), task))
    if isinstance(model, type) or not (hasattr(model, "predict") or callable(model)):
        raise UnsupportedModelError(f"the model is {described_model(model)}; {EXPECTED}")
    form = form_of(X) if hasattr(X, "columns") else FrameForm()
    if hasattr(model, "predict_proba"):
        return BestEstimate(model.predict_proba, getattr(model, "classes_", None), form)
    if hasattr(model, "__sklearn_tags__") and is_classifier(model):
        told = "it gives labels; expected a classifier with predict_proba, such as CalibratedClassifierCV of it"
        raise UnsupportedModelError(f"the model {type(model).__name__} has no probabilities to average: {told}")
    return BestEstimate(model.predict if hasattr(model, "predict") else model, to_given=form)


def _copied(rows: Any) -> Any:
    """The rows, into which a model may write."""
    return rows.clone() if isinstance(rows, Tensor) else rows.copy()
