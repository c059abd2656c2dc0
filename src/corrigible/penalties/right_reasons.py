"""Ross, Hughes and Doshi-Velez 2017, Right for the Right Reasons: training models by constraining their explanations.

Equation 1, with the squared input gradients averaged over the marked inputs instead of summed, and with a random
projection of the log-probabilities instead of their sum, in which classes can cancel each other.
"""

from collections.abc import Sequence
from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor

from corrigible.explanations.marks.shares import directions, mean_over_marked
from corrigible.explanations.scores import rows_about, score_named
from corrigible.models.forward import Forward
from corrigible.types import Batch


def right_reasons(
    forward: Forward,
    batch: Batch,
    *,
    score: str = "random_projection",
    norm: Literal["l2", "l1", "cosine"] = "l2",
    classes: Sequence[int] | None = None,
) -> Float[Tensor, ""]:
    """Mean squared (or absolute) input gradient on the inputs that must not matter.

    Shrinking all gradients reduces it, which the label loss must counteract; the cosine cannot be reduced in this way.

    Args:
        score: "member_projection" for an ensemble that is corrected as a whole, so that each member is right for the
            right reasons; the others look at the mean of their predictions.
        norm: "cosine" is the cosine between each row's absolute gradient and its mask, from 0 to 1, averaged over
            marked rows: it measures where the model looks, however strongly.
        classes: penalise only evidence for or against these classes: of a score of all log-probabilities only theirs,
            for a score of one class only rows whose class is among them; None for all classes.

    Raises:
        RecipeError: an unknown score, an empty list of classes, or a class that the model does not have.
    """
    assert batch.irrelevant is not None
    irrelevant, rows = batch.irrelevant, rows_about(score, forward, forward.target, classes)
    if rows is not None:
        irrelevant = irrelevant & rows.reshape(-1, *[1] * (irrelevant.ndim - 1))
    gradient = forward.input_gradient(score_named(score, forward, classes=classes), forward.target)
    if norm == "cosine":
        return _mean_cosine(gradient, irrelevant)
    size = gradient.square() if norm == "l2" else gradient.abs()
    return (size * irrelevant).sum() / irrelevant.sum().clamp_min(1)


def _mean_cosine(gradient: Float[Tensor, " batch *input"], mask: Bool[Tensor, " batch *input"]) -> Tensor:
    size, marked = directions(gradient.flatten(1)).abs(), mask.flatten(1)
    cosine = (size * marked).sum(dim=1) / marked.sum(dim=1).clamp_min(1).sqrt()
    return mean_over_marked(cosine, mask)
