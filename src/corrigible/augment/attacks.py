"""Small changes of a row that change its prediction.

The fast gradient sign method (Goodfellow, Shlens and Szegedy 2015, Explaining and harnessing adversarial examples) and
projected gradients (Madry et al. 2018, Towards deep learning models resistant to adversarial attacks).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import one_hot

from corrigible.errors import RecipeError
from corrigible.models.forward import Forward
from corrigible.models.modes import evaluating, like_parameters
from corrigible.types import Batch


def fgsm(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    y: Int[Tensor, " batch"],
    *,
    epsilon: float = 0.1,
    target: Int[Tensor, " batch"] | None = None,
    low: float = 0.0,
    high: float = 1.0,
) -> Float[Tensor, " batch *input"]:
    """The rows with every input moved by ``epsilon`` along the sign of the label loss's gradient.

    Args:
        epsilon: in units of x.
        target: towards these classes instead of away from the labels.
        low, high: the least and the largest value an input may be moved to; a value beyond them stays.

    Raises:
        RecipeError: an epsilon below 0, or a low that is not below high.
    """
    return projected_gradient(
        model, x, y, epsilon=epsilon, steps=1, step_size=epsilon, target=target, low=low, high=high
    )


def projected_gradient(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    y: Int[Tensor, " batch"],
    *,
    epsilon: float = 0.1,
    steps: int = 10,
    step_size: float | None = None,
    target: Int[Tensor, " batch"] | None = None,
    low: float = 0.0,
    high: float = 1.0,
    generator: torch.Generator | None = None,
) -> Float[Tensor, " batch *input"]:
    """The rows after several steps along the sign of the label loss's gradient, each input at most ``epsilon`` away.

    The model runs in eval mode; its modes, statistics and gradients stay as they are.

    Args:
        epsilon: in units of x.
        step_size: None for 2.5 epsilon / steps, large enough to make up for steps in a wrong direction.
        target: towards these classes instead of away from the labels.
        low, high: the least and the largest value an input may be moved to; a value beyond them stays.
        generator: draws a uniform random start within epsilon of the row; None starts at the row.

    Raises:
        RecipeError: an epsilon below 0, no steps, or a low that is not below high.
    """
    if not epsilon >= 0 or steps < 1 or not low < high:
        found = f"epsilon {epsilon}, {steps} steps, low {low}, high {high}"
        raise RecipeError(f"{found}; expected an epsilon and a number of steps of at least 0 and 1, and low below high")
    size = 2.5 * epsilon / steps if step_size is None else step_size
    x = like_parameters(x.detach(), model)
    least = (x - epsilon).clamp_min(low).minimum(x)
    most = (x + epsilon).clamp_max(high).maximum(x)
    moved = x.clone()
    if generator is not None:
        start = 2 * torch.rand(x.shape, generator=generator, device=generator.device) - 1
        moved = (x + epsilon * start.to(x)).clamp(least, most)
    aim, sign = (y, -1) if target is None else (target, 1)
    with evaluating(model):
        for _ in range(steps):
            direction = sign * _gradient(model, moved, aim).sign()
            moved = (moved + size * direction).clamp(least, most)
    return moved


def _gradient(model: nn.Module, x: Tensor, aim: Tensor) -> Tensor:
    """The gradient of the class's log-odds with respect to x.

    The gradient of the log-probability has the same direction but 1 − p times the length: on rows that a network is
    certain of it is rounded to 0, which would look like a defence.
    """
    forward = Forward(model, Batch(torch.arange(len(x)), x, aim.to(x.device))).unobserved()
    return forward.input_gradient(_log_odds, forward.labels, create_graph=False).detach()


def _log_odds(logits: Float[Tensor, " batch num_classes"], y: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    is_y = one_hot(y, logits.shape[1]).bool()
    return logits[is_y] - logits.masked_fill(is_y, -torch.inf).logsumexp(dim=1)
