"""A label loss for ensembles in which each member learns the labels by itself."""

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.models.ensemble import member_outputs
from corrigible.models.forward import Forward
from corrigible.types import Batch


def member_task_loss(forward: Forward, batch: Batch) -> Float[Tensor, " batch"]:
    """The task's loss of each row, averaged over the ensemble's members; for classes, their mean cross-entropy.

    For classes it is at least the cross-entropy of the mean probabilities, under which a member may be wrong as long as
    others are right.

    Raises:
        DataError: a label that is not one of the model's classes.
        UnsupportedModelError: the model is not an ensemble.
    """
    losses = [forward.task.loss(member, batch.y, batch.extra) for member in member_outputs(forward)]
    return torch.stack(losses).mean(dim=0)
