"""The labels of a batch, as label losses need them."""

from jaxtyping import Int
from torch import Tensor

from corrigible.errors import DataError
from corrigible.types import Batch


def labels_of(batch: Batch, num_classes: int) -> Int[Tensor, " batch"]:
    """Each row's label; raises DataError for one that is not one of the model's classes."""
    y = batch.y
    if bool(((y < 0) | (y >= num_classes)).any()):
        found = int(y[(y < 0) | (y >= num_classes)][0])
        raise DataError(f"label {found}; the model has {num_classes} classes, 0 to {num_classes - 1}")
    return y
