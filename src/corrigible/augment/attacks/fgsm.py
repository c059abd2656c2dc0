"""Goodfellow, Shlens and Szegedy 2015, Explaining and harnessing adversarial examples: the fast gradient sign."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.augment.attacks._ball import Sizes
from corrigible.augment.attacks.projected_gradient import projected_gradient


def fgsm(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    y: Int[Tensor, " batch"],
    *,
    epsilon: Sizes = 0.1,
    target: Int[Tensor, " batch"] | None = None,
    low: Sizes = 0.0,
    high: Sizes = 1.0,
) -> Float[Tensor, " batch *input"]:
    """The rows with every input moved by ``epsilon`` along the sign of the label loss's gradient.

    Args:
        epsilon: in units of x; one number, or one for each input.
        target: towards these classes instead of away from the labels.
        low, high: the least and the largest value an input may be moved to; a value beyond them stays.

    Raises:
        RecipeError: an epsilon below 0, or a low that is not below high.
        DataError: a label that is not one of the model's classes.
    """
    return projected_gradient(
        model, x, y, epsilon=epsilon, steps=1, step_size=epsilon, target=target, low=low, high=high
    )
