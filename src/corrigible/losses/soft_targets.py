"""Hinton, Vinyals and Dean 2015, Distilling the knowledge in a neural network: a student learns a teacher's
probabilities.
"""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import log_softmax

from corrigible.errors import DataError, RecipeError
from corrigible.models.forward import Forward
from corrigible.types import Batch, Task


def soft_targets(
    forward: Forward, batch: Batch, *, temperature: float = 2.0, share: float = 0.9
) -> Float[Tensor, " batch"]:
    """The cross-entropy to the teacher's softened probabilities, and for the rest of the share the task's loss.

    ``extra["teacher"]`` holds what the teacher says of each row. For classes these are logits, or logarithms of
    probabilities, (row, class): both models' logits are divided by the temperature, and the cross-entropy is multiplied
    by its square, so that its gradient keeps its size. For other tasks they are predictions in the form of the labels,
    which take the labels' place in the task's loss.

    Args:
        temperature: above 0; the larger it is, the more classes other than the likeliest count.
        share: of the teacher in the loss, from 0 to 1; 1 leaves the labels out.

    Raises:
        RecipeError: a temperature that is not above 0, or a share outside 0 to 1.
        DataError: no ``extra["teacher"]``, or one of another shape than the logits.
    """
    return soft_targets_of(forward.task, forward.outputs, batch.y, batch.extra, temperature=temperature, share=share)


def soft_targets_of(
    task: Task, outputs: Tensor, y: Tensor, extra: Mapping[str, Tensor], *, temperature: float, share: float
) -> Float[Tensor, " batch"]:
    """`soft_targets` of any outputs."""
    if not (0 < temperature < float("inf") and 0 <= share <= 1):
        raise RecipeError(
            f"temperature is {temperature} and share is {share}; expected a temperature above 0 and a share from 0 to 1"
        )
    taught = _from_teacher(task, outputs, extra, temperature)
    return taught if share == 1 else share * taught + (1 - share) * task.loss(outputs, y, extra)


def _from_teacher(
    task: Task, outputs: Tensor, extra: Mapping[str, Tensor], temperature: float
) -> Float[Tensor, " batch"]:
    if "teacher" not in extra:
        raise DataError(
            "soft_targets finds no extra['teacher'] beside the rows: give TensorData(…, extra={'teacher': logits}), or "
            "call corrigible.distil"
        )
    teacher = extra["teacher"].to(outputs)
    if task.logits is None:
        return task.loss(outputs, teacher, extra)
    logits = task.logits(outputs)
    if teacher.shape != logits.shape:
        raise DataError(
            f"extra['teacher'] has shape {tuple(teacher.shape)} on these rows; the model gives {tuple(logits.shape)}: "
            "expected a number for each row and class"
        )
    probs = (teacher / temperature).softmax(dim=1)
    return -(temperature**2) * (probs * log_softmax(logits / temperature, dim=1)).sum(dim=1)
