"""The loss of each row, as `corrigible.evaluate` has it: that of the task that the model has learned."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.errors import DataError
from corrigible.tasks import TaskChoice, task_named

LEAST_PROB = float(torch.finfo(torch.float64).eps)
"""Smaller probabilities count as this one, as in scikit-learn, since a tree's 0 has no logarithm."""


def losses_of_classes(probs: Float[Tensor, " row num_classes"], y: Int[Tensor, " row"]) -> Float[Tensor, " row"]:
    """Minus the logarithm of the probability of each label."""
    found: Tensor = -probs.gather(1, y[:, None])[:, 0].clamp_min(LEAST_PROB).log()
    return found


def losses_of_amounts(
    predicted: Float[Tensor, " row"], y: Float[Tensor, " row"], exposure: Float[Tensor, " row"], means: TaskChoice
) -> Float[Tensor, " row"] | None:
    """The task's loss of each row; None where predictions and these labels do not tell it.

    Args:
        predicted: per unit of exposure.
        means: what the labels mean. Of a task without exposure, the prediction times the exposure is compared.
    """
    extra = {"exposure": exposure}
    try:
        task = task_named(means, y, extra)
    except DataError:  # Such as costs of 0, where the model has learned positive ones.
        return None
    if task.num_outputs != 1:
        return None
    outputs = predicted if "exposure" in task.extra else predicted * exposure
    if task.reads == "logarithms":
        outputs = outputs.clamp_min(torch.finfo(torch.float64).tiny).log()
    return task.loss(outputs[:, None], y, extra)
