"""The label loss that belongs to the task of the data set."""

from jaxtyping import Float
from torch import Tensor

from corrigible.models.forward import Forward
from corrigible.types import Batch


def task_loss(forward: Forward, batch: Batch) -> Float[Tensor, " batch"]:
    """The task's own loss of each row (`corrigible.tasks`); for classes this is the cross-entropy.

    Raises:
        DataError: a label that is not one of the model's classes.
    """
    return forward.task.loss(forward.outputs, batch.y, batch.extra)
