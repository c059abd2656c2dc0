"""Ross, Hughes and Doshi-Velez 2017, Right for the Right Reasons: training models by constraining their explanations.

Equation 1, with the squared input gradients averaged over the marked inputs instead of summed, and with a random
projection of the log-probabilities instead of their sum, in which classes can cancel each other.
"""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from corrigible.explanations.scores import score_named
from corrigible.models.forward import Forward
from corrigible.types import Batch


def right_reasons(
    forward: Forward, batch: Batch, *, score: str = "random_projection", norm: Literal["l2", "l1"] = "l2"
) -> Float[Tensor, ""]:
    """Mean squared (or absolute) input gradient on the inputs that must not matter."""
    assert batch.irrelevant is not None
    gradient = forward.input_gradient(score_named(score, forward), batch.y)
    size = gradient.square() if norm == "l2" else gradient.abs()
    return (size * batch.irrelevant).sum() / batch.irrelevant.sum().clamp_min(1)
