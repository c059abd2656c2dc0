"""The label loss of classification."""

from jaxtyping import Float
from torch import Tensor

from corrigible.errors import DataError
from corrigible.models.forward import Forward
from corrigible.types import Batch


def cross_entropy(forward: Forward, batch: Batch) -> Float[Tensor, " batch"]:
    """Minus the log-probability of each row's label.

    Raises:
        DataError: a label that is not one of the model's classes.
    """
    num_classes = forward.log_probs.shape[1]
    if bool(((batch.y < 0) | (batch.y >= num_classes)).any()):
        found = int(batch.y[(batch.y < 0) | (batch.y >= num_classes)][0])
        raise DataError(f"label {found}; the model has {num_classes} classes, 0 to {num_classes - 1}")
    return -forward.log_probs.gather(1, batch.y[:, None])[:, 0]
