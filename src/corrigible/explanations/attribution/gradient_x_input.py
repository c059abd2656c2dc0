"""Shrikumar, Greenside, Shcherbina and Kundaje 2016, Not just a black box: learning important features through
propagating activation differences. Their point of comparison: the input times its gradient.
"""

from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.explanations.attribution.input_gradient import input_gradient_of
from corrigible.explanations.passes import pass_over
from corrigible.models.forward import Forward, Score
from corrigible.models.modes import untouched
from corrigible.types import Columns


def gradient_x_input_of(
    forward: Forward,
    target: Int[Tensor, " batch *contrast"],
    *,
    score: str | Score = "target_logit",
    create_graph: bool = True,
) -> Float[Tensor, " batch *input"]:
    """The pass's input gradient times its input."""
    return input_gradient_of(forward, target, score=score, create_graph=create_graph) * forward.x.detach()


def gradient_x_input(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    score: str | Score = "target_logit",
    columns: Columns | None = None,
    seed: int = 0,
    differentiable: bool = False,
) -> Float[Tensor, " batch *input"]:
    """The input gradient times the input, in units of the score; an input of 0 gets 0."""
    with untouched(model, seed):
        forward = pass_over(model, x, target, columns=columns, seed=seed).unobserved()
        return gradient_x_input_of(forward, target, score=score, create_graph=differentiable)
