"""Sundararajan, Taly and Yan 2017, Axiomatic attribution for deep networks, proposition 1: completeness."""

from typing import Any

from jaxtyping import Float
from torch import Tensor

from corrigible.explanations.baselines import Baseline, baseline_row
from corrigible.explanations.completeness import gains_of
from corrigible.explanations.quality._given import flat_of, require_same_shape_of
from corrigible.explanations.question import question_of
from corrigible.models.forward import Score
from corrigible.tasks import TaskChoice
from corrigible.types import Columns


def completeness_gap(
    model: Any,
    x: Any,
    target: Any,
    attribution: Float[Tensor, " batch ..."],
    *,
    baseline: Baseline = None,
    score: str | Score | None = None,
    task: TaskChoice | None = None,
    columns: Columns | None = None,
    seed: int = 0,
    rows_at_once: int | None = None,
) -> Float[Tensor, " batch"]:
    """The sum of a row's attribution minus the gain of its score over the baseline's; 0 is best.

    Captum calls it the convergence delta. It has the unit of the score, and so must the attribution, such as integrated
    gradients, DeepLIFT or Shapley values.

    Args:
        target: a class, one per row, or None as in `explain`; pairs (batch, 2) ask why one rather than another.
        attribution: in the shape of x.
        baseline: the one that the attribution had; None for zeros (1/k in a category's k columns).
        score, task: as in `explain`; None for the task's own score.
        columns: which columns of a table make up which feature.

    Raises:
        RecipeError: an unknown score.
        DataError: x, target, columns or a baseline that do not fit; an attribution of another shape, NaN or infinite.
    """
    question = question_of(
        model, x, target, score=score, task=task, columns=columns, seed=seed, rows_at_once=rows_at_once
    )
    require_same_shape_of(attribution, question.x.shape, "x")
    total = flat_of(attribution).sum(dim=1)
    with question.looking():
        scores = gains_of(question, baseline_row(baseline, question.x, columns)).cpu().double()
    return total - (scores[0] - scores[1])
