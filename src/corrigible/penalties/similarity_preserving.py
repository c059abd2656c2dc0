"""Tung and Mori 2019, Similarity-preserving knowledge distillation, equation 4: rows that are alike to the teacher are
alike to the student.
"""

from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.errors import DataError
from corrigible.explanations.marks.shares import directions
from corrigible.models.forward import Forward
from corrigible.models.hidden_units import hidden_layers
from corrigible.types import Batch


@declared(rows="labelled", looks_at="layers")
def similarity_preserving(
    forward: Forward, batch: Batch, *, layer: str | None = None, teacher: str = "teacher"
) -> Float[Tensor, ""]:
    """Mean over rows of the squared distance between how student and teacher compare a row with the others, 0 to 4.

    A row is compared with all rows of the batch by the dot product of activations; these products are scaled to length
    1. It is the paper's value times the number of rows, so that the size of the batch does not matter.

    Args:
        layer: name of the student's layer; None for its last activation function that is a layer of its own.
        teacher: what the teacher's features of each row are called in ``extra``; its outputs serve too.

    Raises:
        DataError: no such tensor in ``extra``.
        UnsupportedModelError: no such layer ran, or the next one overwrites its output in place.
    """
    if teacher not in batch.extra:
        raise DataError(
            f"similarity_preserving finds no extra[{teacher!r}] beside the rows; give TensorData(…, "
            f"extra={{{teacher!r}: features}})"
        )
    chosen = hidden_layers(forward, None if layer is None else (layer,))[-1]
    student, features = forward.activation(chosen), batch.extra[teacher]
    return (_comparisons(student) - _comparisons(features.to(student))).square().sum(dim=1).mean()


def _comparisons(features: Float[Tensor, " batch *feature"]) -> Float[Tensor, " batch batch"]:
    flat = features.flatten(1)
    return directions(flat @ flat.T)
