"""Sundararajan, Taly and Yan 2017, Axiomatic attribution for deep networks, equation 1.

The path integral is computed by Gauss-Legendre quadrature.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.explanations.attribution._path_gradients import Points, attribution_along, sum_over_points
from corrigible.explanations.baselines import Baseline, baseline_row, neutral_row
from corrigible.explanations.completeness import TOLERANCE, require_complete
from corrigible.explanations.features import shared_by_category
from corrigible.explanations.quadrature import gauss_legendre
from corrigible.explanations.question import Question
from corrigible.models.forward import Forward, Score
from corrigible.models.modes import untouched
from corrigible.types import Columns


def integrated_gradients_of(
    forward: Forward, target: Int[Tensor, " batch *contrast"], *, steps: int = 1, score: str | Score = "target_logit"
) -> Float[Tensor, " batch *input"]:
    """Integrated gradients of the pass's rows from the neutral row, from one more pass.

    Raises:
        RecipeError: fewer than 1 step.
    """
    share, weights = _quadrature(steps, forward.x)
    start = neutral_row(forward.x.detach(), forward.batch.columns)[None, None]
    return attribution_along(forward, target, start, share[:, None], weights, score=score)


def integrated_gradients(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    steps: int = 50,
    baseline: Baseline = None,
    tolerance: float = TOLERANCE,
    score: str | Score = "target_logit",
    columns: Columns | None = None,
    seed: int = 0,
    differentiable: bool = False,
    rows_at_once: int = 256,
) -> Float[Tensor, " batch *input"]:
    """The input minus the baseline, times the mean gradient on the path between them, in units of the score.

    Complete, and checked: the attribution of a row sums to score(x) − score(baseline), up to the quadrature's error.
    The columns of a category share its total evenly. What all columns of a category have in common contributes nothing,
    unless they do not sum to 1 in a given baseline, such as zeros.

    Args:
        steps: points on each row's path, at least 1. At most ``rows_at_once`` of them are in memory at once, unless the
            result is differentiable.
        baseline: None for zeros (1/k in a category's k columns); a number, or a tensor that broadcasts to one row.
        tolerance: how far a row's sum may be off, as a share of its gain in score or the sum of its sizes, or of their
            mean over the rows, whichever is largest.

    Raises:
        RecipeError: fewer than 1 step or more than 10,000, or a row that does not sum to its gain in score.
        DataError: a baseline that does not fit.
    """
    share, weights = _quadrature(steps, x)
    share = share.reshape(-1, *[1] * x.ndim)
    start = baseline_row(baseline, x, columns)

    def on_path(rows: Tensor, index: Tensor) -> Points:
        return Points(lambda which: (torch.lerp(start, rows, share[which]), None), rows - start, weights)

    question = Question(model, x, target, score, seed, rows_at_once, differentiable)
    with untouched(model, seed):
        found = shared_by_category(sum_over_points(question, on_path, steps), columns)
        require_complete(question, start, found, tolerance=tolerance)
        return found


def _quadrature(steps: int, like: Tensor) -> tuple[Float[Tensor, " step"], Float[Tensor, " step"]]:
    """Points between 0 and 1 and their weights, which sum to 1 (Gauss-Legendre)."""
    nodes, weights = (torch.tensor(values).to(like) for values in gauss_legendre(steps))
    return nodes, weights
