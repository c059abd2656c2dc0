"""Madry et al. 2018, Towards deep learning models resistant to adversarial attacks: projected gradients (PGD)."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.augment.attacks._attacked_rows import AttackedRows, LossName, attacked_rows
from corrigible.augment.attacks._ball import Norm, Sizes
from corrigible.augment.attacks._runs import best_of, from_starts
from corrigible.errors import RecipeError


def projected_gradient(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    y: Int[Tensor, " batch"],
    *,
    epsilon: Sizes = 0.1,
    norm: Norm = "linf",
    loss: LossName = "cross_entropy",
    steps: int = 10,
    step_size: Sizes | None = None,
    random_start: bool = False,
    restarts: int = 1,
    target: Int[Tensor, " batch"] | None = None,
    low: Sizes = 0.0,
    high: Sizes = 1.0,
    index: Int[Tensor, " batch"] | None = None,
    seed: int = 0,
) -> Float[Tensor, " batch *input"]:
    """The rows after several steps along the label loss's gradient, at most ``epsilon`` away.

    Args:
        epsilon: in units of x; one number, or with ``linf`` one for each input.
        norm: "linf", each input moves by at most epsilon, in steps along the gradient's sign; or "l2", the root of the
            sum of the squared moves is at most epsilon, in steps along the gradient.
        loss: "cross_entropy", or "margin", the label's logit against the largest other one.
        step_size: None for 2.5 epsilon / steps, large enough to make up for steps in a wrong direction.
        random_start: the first run starts at a point drawn within epsilon, as further ones do, and not at the row.
        restarts: how many runs; each row keeps its first success, or the largest loss.
        target: towards these classes instead of away from the labels.
        low, high: the least and the largest value an input may be moved to; a value beyond them stays.
        index: the rows' numbers, which with the seed settle the draws; None for their positions.

    Raises:
        RecipeError: an epsilon below 0, no steps or runs, a low that is not below high, an unknown norm or loss, or one
            epsilon for each input with ``l2``.
        DataError: a label that is not one of the model's classes.
    """
    if steps < 1:
        raise RecipeError(f"steps is {steps}; expected at least 1")
    facts: dict[str, Any] = {"epsilon": epsilon, "norm": norm, "loss": loss, "target": target, "low": low, "high": high}

    def climbed(rows: AttackedRows, at: Tensor) -> Tensor:
        size = 2.5 / steps if step_size is None else _in_epsilons(step_size, rows.ball.epsilon)
        for _ in range(steps):
            gradient = rows.seen(at, gradient=True).gradient
            assert gradient is not None
            at = rows.ball.nearest(at + size * rows.ball.direction(gradient))
        return at

    with attacked_rows(model, x, y, seed=seed, index=index, **facts) as rows:
        runs = from_starts(climbed, restarts=restarts, name="projected_gradient", random_start=random_start)
        return best_of(rows, runs)


def _in_epsilons(step_size: Sizes, epsilon: Float[Tensor, " *input"]) -> Tensor:
    """The size of steps over epsilon; 0 where nothing may move."""
    return torch.where(epsilon > 0, torch.as_tensor(step_size, dtype=epsilon.dtype, device=epsilon.device) / epsilon, 0)
