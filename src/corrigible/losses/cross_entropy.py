"""The label loss of classification."""

from jaxtyping import Float
from torch import Tensor

from corrigible.models.forward import Forward
from corrigible.types import Batch


def cross_entropy(forward: Forward, batch: Batch) -> Float[Tensor, " batch"]:
    """Minus the log-probability of each row's label."""
    return -forward.log_probs.gather(1, batch.y[:, None])[:, 0]
