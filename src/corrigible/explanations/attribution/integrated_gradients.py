"""Sundararajan, Taly and Yan 2017, Axiomatic attribution for deep networks, equation 1.

The path integral is taken by Gauss-Legendre quadrature.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.errors import RecipeError
from corrigible.explanations.baselines import Baseline, baseline_row
from corrigible.explanations.passes import pass_over, untouched, values_index
from corrigible.explanations.scores import score_named


def integrated_gradients(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch"],
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
    if steps < 1:
        raise RecipeError(f"steps is {steps}; expected at least 1")
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    share, weight = torch.tensor((nodes + 1) / 2).to(x), torch.tensor(weights / 2).to(x)
    start, index = baseline_row(baseline, x), values_index(x)
    total = torch.zeros_like(x)
    with untouched(model, seed):
        for place in torch.arange(len(x) * steps, device=x.device).split(rows_at_once):
            row, node = place // steps, place % steps
            points = start + (x[row] - start) * _per_row(share[node], x)
            # A row keeps its index along its whole path, so that a random score stays one function.
            forward = pass_over(model, points, target[row], index=index[row], seed=seed)
            scores = score_named(score, forward)(forward.logits, target[row]).sum()
            gradient = forward.gradient(scores, forward.x, create_graph=differentiable)
            total = total.index_add(0, row, gradient * _per_row(weight[node], x))
    return total * (x - start)


def _per_row(values: Float[Tensor, " batch"], x: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (x.ndim - 1))
