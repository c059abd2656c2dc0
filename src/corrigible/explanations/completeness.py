"""Completeness: the attributions of a row sum to the gain of its score over the baseline's."""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.errors import RecipeError
from corrigible.explanations.question import Question
from corrigible.explanations.reached import WITHOUT_GRADIENTS
from corrigible.models.draws import PassDraws, drawing_from
from corrigible.outputs import as_outputs

ROUNDING = 64
"""Allowed error of a difference of scores, in rounding errors of a score."""
TOLERANCE = 0.1


def gains_of(question: Question, start: Float[Tensor, " *input"]) -> Float[Tensor, " 2 batch"]:
    """The score of each row and the baseline's score for the row's target."""
    found = []
    with torch.no_grad():
        for some in torch.arange(len(question.x), device=question.x.device).split(question.rows_at_once):
            asked = question.about(some)
            # A row and its baseline share the draws that its gradients had.
            with drawing_from(PassDraws(question.seed, partial(_itself, asked.index))):
                ends = (asked.x.clone(), start.expand_as(asked.x).clone())
                both = torch.cat([as_outputs(question.model(rows)) for rows in ends])
            target, index = (torch.cat([values] * 2) for values in (asked.target, asked.index))
            found.append(question.scored(both, target, partial(_itself, index)).view(2, -1))
    return torch.cat(found, dim=1)


def _itself(index: Tensor) -> Tensor:
    return index


@torch.no_grad()
def require_complete(
    question: Question,
    start: Float[Tensor, " *input"],
    attribution: Float[Tensor, " batch *input"],
    *,
    tolerance: float,
) -> None:
    """Check that each row sums to its gain in score.

    Args:
        tolerance: how far a row may be off, as a share of its gain or the sum of its sizes, or of their mean over the
            rows, whichever is largest: a row on which little happens need not be exact.

    Raises:
        RecipeError: a row is further off, or the tolerance is negative.
    """
    if not tolerance >= 0:
        raise RecipeError(f"tolerance is {tolerance}; expected at least 0: a share, such as {TOLERANCE}")
    score, before = gains_of(question, start)
    rows, gain = attribution.detach().flatten(1), score - before
    gap = (rows.sum(dim=1) - gain).abs()
    rounding = ROUNDING * torch.finfo(rows.dtype).eps * (score.abs() + before.abs() + rows.abs().sum(dim=1))
    size = torch.maximum(gain.abs(), rows.abs().sum(dim=1))
    too_far = gap > tolerance * size.clamp_min(float(size.mean())) + rounding
    if bool(too_far.any()):
        row = int(too_far.nonzero()[0])
        raise RecipeError(
            f"the attributions of row {row} sum to {float(rows[row].sum()):.4g}, but its score differs from the "
            f"baseline's by {float(gain[row]):.4g} ({int(too_far.sum())} such rows, off by more than {tolerance:g}): "
            f"give more steps or a larger tolerance (completeness_gap gives each row's); if the model "
            f"cuts gradients off, choose {WITHOUT_GRADIENTS}"
        )
