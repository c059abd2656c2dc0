"""What a best-estimate model predicts of rows: an estimator, a pipeline, a function of rows, or a network."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from corrigible.errors import UnsupportedModelError
from corrigible.models.networks import copied, described_model, network_of
from corrigible.models.predictive import all_outputs
from corrigible.types import Task

EXPECTED = "expected a model with predict_proba or predict, a function of rows, or a network"


class BestEstimate(NamedTuple):
    """A model as a function of rows."""

    of: Callable[[Any], NDArray[np.float64]]
    """A number of each row, (row,), or the probabilities of its classes, (row, class)."""
    classes: NDArray[Any] | None = None
    """The classes that the columns are of, where the model names them."""


def best_estimate(model: Any, task: Task | None = None) -> BestEstimate:
    """The model as a function of rows, whose answers are checked; of classes it gives probabilities.

    Args:
        task: what the outputs of a network mean.

    Raises:
        UnsupportedModelError: no model, or when it is called: it fails, or its answers are no numbers.
    """
    if isinstance(model, nn.Module):
        assert task is not None
        return BestEstimate(_of_network(model, task))
    if isinstance(model, type) or not (hasattr(model, "predict") or callable(model)):
        raise UnsupportedModelError(f"the model is {described_model(model)}; {EXPECTED}")
    if hasattr(model, "predict_proba"):
        return BestEstimate(_checked(model.predict_proba), getattr(model, "classes_", None))
    return BestEstimate(_checked(model.predict if hasattr(model, "predict") else model))


def _of_network(model: nn.Module, task: Task) -> Callable[[Any], NDArray[np.float64]]:
    network = copied(network_of(model)).double()

    def ask(x: Tensor) -> NDArray[np.float64]:
        observed = task.observed(all_outputs(network, x.double(), task=task))
        found: NDArray[np.float64] = observed["probs" if task.logits is not None else "predicted"].double().numpy()
        return found

    return _checked(ask)


def _checked(ask: Callable[[Any], Any]) -> Callable[[Any], NDArray[np.float64]]:
    def of(rows: Any) -> NDArray[np.float64]:
        try:
            said = ask(rows)
            said = said.numpy(force=True) if isinstance(said, torch.Tensor) else said
            found = np.array(said, dtype=np.float64)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            told = "give the rows that it was trained on, with the attribute as a column"
            raise UnsupportedModelError(f"the model fails on the rows ({error}); {told}") from error
        found = found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found
        if found.ndim not in (1, 2) or len(found) != len(rows):
            what = "a number, or one probability for each class, of each row"
            raise UnsupportedModelError(f"the model gives shape {found.shape} for {len(rows):,} rows; expected {what}")
        if not bool(np.isfinite(found).all()):
            bad = int((~np.isfinite(found).reshape(len(found), -1).all(axis=1)).argmax())
            raise UnsupportedModelError(f"the model predicts {found[bad]} for row {bad}; expected finite numbers")
        return found

    return of
