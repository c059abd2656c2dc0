"""A label loss for ensembles in which each member learns the labels by itself."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import log_softmax

from corrigible.models.ensemble import member_outputs
from corrigible.models.forward import Forward
from corrigible.tasks.classes import require_labels
from corrigible.types import Batch


def member_cross_entropy(forward: Forward, batch: Batch) -> Float[Tensor, " batch"]:
    """Minus the log-probability of each row's label, averaged over the ensemble's members.

    It is at least the cross-entropy of the mean probabilities, under which a member may be wrong as long as others are
    right.

    Raises:
        DataError: a label that is not one of the model's classes.
        UnsupportedModelError: the model is not an ensemble.
    """
    require_labels(batch.y, forward.logits.shape[1])
    log_probs = torch.stack([log_softmax(member, dim=1) for member in member_outputs(forward)])
    return -log_probs.mean(dim=0).gather(1, batch.y[:, None])[:, 0]
