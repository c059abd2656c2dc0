"""The prediction of a model that may take several passes: the members of an ensemble."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.errors import UnsupportedModelError
from corrigible.models.batch_size import rows_that_fit
from corrigible.models.ensemble import Ensemble, is_ensemble
from corrigible.models.modes import evaluating, like_parameters
from corrigible.outputs import require_each
from corrigible.tasks import CLASSES
from corrigible.types import Task


class Predictive(NamedTuple):
    """What a model predicts for some rows."""

    outputs: Float[Tensor, " batch output"]
    """The outputs whose prediction is the mean over the passes."""
    passes: Float[Tensor, " pass batch output"]


def predictive(model: nn.Module, x: Float[Tensor, " batch *input"], *, task: Task = CLASSES) -> Predictive:
    """The model's outputs for these rows: one pass, or one for each member of an ensemble.

    The modes of the model and gradients stay as the caller set them.

    Raises:
        UnsupportedModelError: an output that does not fit the task, or an ensemble of another task.
    """
    require_same_task(model, task)
    if is_ensemble(model):
        passes = model.member_outputs(x)
        return Predictive(model.combined(passes), passes)
    outputs = task.outputs(model(x))
    require_each(outputs, len(x))
    return Predictive(outputs, outputs[None])


def all_outputs(
    model: nn.Module, x: Float[Tensor, " row *input"], *, task: Task = CLASSES
) -> Float[Tensor, " row output"]:
    """The outputs for any number of rows, in eval mode and without gradients, on the CPU.

    Raises:
        UnsupportedModelError: as `predictive`.
    """
    with evaluating(model), torch.no_grad():
        size = rows_that_fit(model, like_parameters(x[:1], model))
        parts = [predictive(model, like_parameters(part, model), task=task).outputs.cpu() for part in x.split(size)]
    return torch.cat(parts)


def require_same_task(model: nn.Module, task: Task) -> None:
    """Raises UnsupportedModelError for an ensemble that was built for another task."""
    if isinstance(model, Ensemble) and model.task.name != task.name:
        found = f"the ensemble has the task {model.task.name!r} and the data {task.name!r}"
        raise UnsupportedModelError(f"{found}; build it with that of the data: Ensemble(members, task=…)")
