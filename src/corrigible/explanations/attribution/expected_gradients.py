"""Erion, Janizek, Sturmfels, Lundberg and Lee 2021, Improving performance of deep learning models with axiomatic
attribution priors and expected gradients, equation 4. Also known as gradient SHAP, without its added noise.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.errors import RecipeError
from corrigible.explanations.attribution._path_gradients import Points, attribution_along, sum_over_points
from corrigible.explanations.baselines import background_rows
from corrigible.explanations.features import shared_by_category
from corrigible.explanations.question import Question
from corrigible.models.draws import row_uniform
from corrigible.models.forward import Forward
from corrigible.models.modes import untouched
from corrigible.types import Columns


def expected_gradients_of(
    forward: Forward,
    target: Int[Tensor, " batch *contrast"],
    *,
    background: Tensor | None = None,
    samples: int = 1,
    score: str = "target_logit",
) -> Float[Tensor, " batch *input"]:
    """Expected gradients of the pass's rows from one more pass, over ``samples`` random points for each row.

    Args:
        background: rows that stand for "nothing here"; None for the neutral row.

    Raises:
        RecipeError: fewer than 1 sample.
        DataError: a background that does not fit.
    """
    if samples < 1:
        raise RecipeError(f"samples is {samples}; expected at least 1")
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
    score: str = "target_logit",
    columns: Columns | None = None,
    seed: int = 0,
    differentiable: bool = False,
    rows_at_once: int = 256,
) -> Float[Tensor, " batch *input"]:
    """Integrated gradients in the mean over baselines drawn from the background, in units of the score.

    Complete in expectation: over a row it sums to score(x) less the background's mean score. Each sample is one random
    reference and one random point on the way from it; the points are drawn one per n-th of the way, which leaves the
    expectation as it is and takes most of its variance. The columns of a category share evenly what it counts as a
    whole, as in `integrated_gradients`.

    Args:
        background: rows that stand for "nothing here", (row, *input); None for a single row of zeros, in a category of
            k columns 1/k each.
        samples: points for each row, at least 1. At most ``rows_at_once`` of them are in memory, whatever this is,
            unless the result is differentiable.

    Raises:
        RecipeError: fewer than 1 sample.
        DataError: a background that does not fit.
    """
    if samples < 1:
        raise RecipeError(f"samples is {samples}; expected at least 1")
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
    """A random reference for each sample from ``first`` on, and which share of the way from it lies behind it."""
    chosen, within = draws.permute(2, 1, 0)
    place = (chosen * len(references)).long().clamp_max(len(references) - 1).to(references.device)
    sample = torch.arange(first, first + len(within), device=within.device)[:, None]
    return references[place], ((sample + within) / samples).to(references)
