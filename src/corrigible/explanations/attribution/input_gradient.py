"""Simonyan, Vedaldi and Zisserman 2014, Deep inside convolutional networks: visualising image classification models.

Section 3, with the sign kept and without a maximum over the channels.
"""

from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.explanations.passes import pass_over
from corrigible.explanations.scores import score_named
from corrigible.models.forward import Forward, Score
from corrigible.models.modes import untouched
from corrigible.types import Columns


def input_gradient_of(
    forward: Forward,
    target: Int[Tensor, " batch *contrast"],
    *,
    score: str | Score = "target_logit",
    create_graph: bool = True,
) -> Float[Tensor, " batch *input"]:
    """Gradient of the score with respect to the pass's input, centred over the columns of each one-hot category."""
    return forward.input_gradient(score_named(score, forward), target, create_graph=create_graph)


def input_gradient(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    score: str | Score = "target_logit",
    columns: Columns | None = None,
    seed: int = 0,
    differentiable: bool = False,
) -> Float[Tensor, " batch *input"]:
    """Gradient of the score with respect to the input: change of the score per unit of each input.

    It is centred over the one-hot columns of a category: these always sum to 1, so a constant added to the gradient of
    all of them has no effect on any valid row.
    """
    with untouched(model, seed):
        forward = pass_over(model, x, target, columns=columns, seed=seed).unobserved()
        return input_gradient_of(forward, target, score=score, create_graph=differentiable)
