"""Path attributions for penalties: of the rows of a pass, computed in one more pass, and differentiable."""

from typing import Literal

from jaxtyping import Float, Int
from torch import Tensor

from corrigible.explanations.attribution.expected_gradients import expected_gradients_of
from corrigible.explanations.attribution.integrated_gradients import integrated_gradients_of
from corrigible.models.forward import Forward, Score

PathMethod = Literal["expected_gradients", "integrated_gradients"]


def path_attribution_of(
    forward: Forward,
    target: Int[Tensor, " batch"],
    *,
    attribution: PathMethod,
    background: Tensor | None,
    samples: int,
    score: str | Score,
) -> Float[Tensor, " batch *input"]:
    """Expected gradients from the background, or integrated gradients from the neutral row, of ``samples`` points each.

    Raises:
        RecipeError: fewer than 1 sample, or an unknown score.
        DataError: a background that does not fit.
    """
    if attribution == "integrated_gradients":
        return integrated_gradients_of(forward, target, steps=samples, score=score)
    return expected_gradients_of(forward, target, background=background, samples=samples, score=score)
