"""A label loss for ensembles in which each member learns from the teacher by itself."""

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.losses.soft_targets import soft_targets_of
from corrigible.models.ensemble import member_outputs
from corrigible.models.forward import Forward
from corrigible.types import Batch


def member_soft_targets(
    forward: Forward, batch: Batch, *, temperature: float = 2.0, share: float = 0.9
) -> Float[Tensor, " batch"]:
    """The loss `soft_targets` of each row, averaged over the ensemble's members.

    Args:
        temperature, share: as in `soft_targets`.

    Raises:
        RecipeError, DataError: as `soft_targets`.
        UnsupportedModelError: the model is not an ensemble.
    """
    settings = {"temperature": temperature, "share": share}
    losses = [
        soft_targets_of(forward.task, member, batch.y, batch.extra, **settings) for member in member_outputs(forward)
    ]
    return torch.stack(losses).mean(dim=0)
