"""The label loss of classification."""

from jaxtyping import Float
from torch import Tensor

from corrigible.models.forward import Forward
from corrigible.tasks.classes import require_labels
from corrigible.types import Batch


def cross_entropy(forward: Forward, batch: Batch) -> Float[Tensor, " batch"]:
    """Minus the log-probability of each row's label.

    Raises:
        DataError: a label that is not one of the model's classes.
    """
    require_labels(batch.y, forward.log_probs.shape[1])
    return -forward.log_probs.gather(1, batch.y[:, None])[:, 0]
