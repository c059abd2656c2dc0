"""Erion, Janizek, Sturmfels, Lundberg and Lee 2021, Improving performance of deep learning models with axiomatic
attribution priors and expected gradients, equation 4. Also known as gradient SHAP, without its added noise.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.explanations.attribution._path_gradients import Points, attribution_along, sum_over_points
from corrigible.explanations.baselines import background_rows
from corrigible.explanations.counts import require_count
from corrigible.explanations.features import shared_by_category
from corrigible.explanations.question import Question
from corrigible.models.draws import row_uniform
from corrigible.models.forward import Forward, Score
from corrigible.models.modes import untouched
from corrigible.types import Columns


def expected_gradients_of(
    forward: Forward,
    target: Int[Tensor, " batch *contrast"],
    *,
    background: Tensor | None = None,
    samples: int = 1,
    score: str | Score = "target_logit",
) -> Float[Tensor, " batch *input"]:
    """Expected gradients of the pass's rows, from one more pass over ``samples`` random points per row.

    Args:
        background: rows that stand for "nothing here"; None for the neutral row.

    Raises:
        RecipeError: fewer than 1 sample.
        DataError: a background that does not fit.
    """
    require_count("samples", samples)
    draws = forward.uniform("expected_gradients", samples, 2)
    references = background_rows(background, forward.x.detach(), columns=forward.batch.columns)
    start, share = _drawn(draws, references, 0, samples)
    weights = share.new_full((samples,), 1 / samples)
    return attribution_along(forward, target, start, share, weights, score=score)


def expected_gradients(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    background: Tensor | None = None,
    samples: int = 50,
    score: str | Score = "target_logit",
    columns: Columns | None = None,
    seed: int = 0,
    differentiable: bool = False,
    rows_at_once: int = 256,
) -> Float[Tensor, " batch *input"]:
    """Integrated gradients averaged over baselines drawn from the background, in units of the score.

    Complete in expectation: the attribution of a row sums to score(x) minus the background's mean score. Each sample is
    a random row of the background and a random point between it and x. The points are stratified, one per n-th of the
    path, which keeps the expectation and removes most of the variance. The columns of a category share its total
    evenly, as in `integrated_gradients`.

    Args:
        background: rows that stand for "nothing here", (row, *input); None for a single row of zeros (1/k in
            a category's k columns).
        samples: points per row, at least 1. At most ``rows_at_once`` of them are in memory at once, unless the result
            is differentiable.

    Raises:
        RecipeError: fewer than 1 sample.
        DataError: a background that does not fit.
    """
    require_count("samples", samples)
    references = background_rows(background, x, columns=columns)

    def towards(rows: Tensor, index: Tensor) -> Points:
        def at(which: slice) -> tuple[Tensor, Tensor]:
            shape = which.stop - which.start, 2
            draws = row_uniform(index.cpu(), shape, seed=seed, name="expected_gradients", start=2 * which.start)
            reference, share = _drawn(draws, references, which.start, samples)
            way = rows - reference
            return torch.addcmul(reference, way, share.reshape(*share.shape, *[1] * (x.ndim - 1))), way

        return Points(at, 1 / samples)

    question = Question(model, x, target, score, seed, rows_at_once, differentiable)
    with untouched(model, seed):
        return shared_by_category(sum_over_points(question, towards, samples), columns)


def _drawn(
    draws: Float[Tensor, " row sample 2"], references: Float[Tensor, " reference *input"], first: int, samples: int
) -> tuple[Float[Tensor, " sample row *input"], Float[Tensor, " sample row"]]:
    """A random background row for each sample from ``first`` on, and how far along the path from it the point lies."""
    chosen, within = draws.permute(2, 1, 0)
    place = (chosen * len(references)).long().clamp_max(len(references) - 1).to(references.device)
    sample = torch.arange(first, first + len(within), device=within.device)[:, None]
    return references[place], ((sample + within) / samples).to(references)
