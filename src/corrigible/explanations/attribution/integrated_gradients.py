"""Sundararajan, Taly and Yan 2017, Axiomatic attribution for deep networks, equation 1.

The path integral is taken by Gauss-Legendre quadrature.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.errors import RecipeError
from corrigible.explanations.baselines import Baseline, baseline_row
from corrigible.explanations.points import Points, Settings, attribution_along, sum_over_points
from corrigible.models.forward import Forward


def integrated_gradients_of(
    forward: Forward, target: Int[Tensor, " batch *contrast"], *, steps: int = 1, score: str = "target_logit"
) -> Float[Tensor, " batch *input"]:
    """Integrated gradients of the pass's rows from zeros, from one more pass; one-hot columns are centred.

    Raises:
        RecipeError: fewer than 1 step.
    """
    share, weights = _quadrature(steps, forward.x)
    start = torch.zeros_like(forward.x[None, :1])
    return attribution_along(forward, target, start, share[:, None], weights, score=score)


def integrated_gradients(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    steps: int = 50,
    baseline: Baseline = None,
    score: str = "target_logit",
    seed: int = 0,
    differentiable: bool = False,
    rows_at_once: int = 256,
) -> Float[Tensor, " batch *input"]:
    """The way from the baseline to the input times the mean gradient along it, in units of the score.

    Complete: over a row it sums to score(x) − score(baseline), up to the quadrature's error. Therefore one-hot columns
    are not centred as they are in `input_gradient`: the baseline need not be a category, and its share would be lost.

    Args:
        steps: points on each row's path, at least 1. At most ``rows_at_once`` points are in memory, whatever this is,
            unless the result is differentiable.
        baseline: None for zeros, a number, or a tensor that broadcasts to one row.

    Raises:
        RecipeError: fewer than 1 step.
        DataError: a baseline that does not fit.
    """
    share, weights = _quadrature(steps, x)
    share = share.reshape(-1, *[1] * x.ndim)
    start = baseline_row(baseline, x)

    def on_path(rows: Tensor, index: Tensor) -> Points:
        return Points(lambda which: (torch.lerp(start, rows, share[which]), None), rows - start, weights)

    settings = Settings(score, seed, differentiable, rows_at_once)
    return sum_over_points(model, x, target, on_path, steps, settings)


def _quadrature(steps: int, like: Tensor) -> tuple[Float[Tensor, " step"], Float[Tensor, " step"]]:
    """Points between 0 and 1 and their weights, which sum to 1 (Gauss-Legendre)."""
    if steps < 1:
        raise RecipeError(f"steps is {steps}; expected at least 1")
    nodes, weights = (torch.tensor(values / 2).to(like) for values in np.polynomial.legendre.leggauss(steps))
    return nodes + 0.5, weights
