"""Koh and Liang 2017, Understanding black-box predictions via influence functions, and ways to compute them.

With R the objective that was minimised, H its Hessian and l the loss of a query, leaving out a row's loss lᵢ, which
counts sᵢ, changes the weights by sᵢ H⁻¹ ∇lᵢ and the query's loss by sᵢ ∇l · H⁻¹ ∇lᵢ, to first order.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from corrigible.objective import PenaltySettings
from corrigible.protocols.influence.answering import prepared, ways
from corrigible.protocols.influence.asked import asked_of
from corrigible.protocols.influence.influenced import Influence
from corrigible.protocols.schedule import Schedule


def influence(
    model: nn.Module,
    data: Any,
    query: Any,
    *,
    method: str = "exact",
    curvature: str = "hessian",
    damping: float | None = None,
    penalties: PenaltySettings | None = None,
    feedback: Any = None,
    schedule: Schedule | None = None,
    start: nn.Module | None = None,
    nearest: int | None = None,
    seed: Any = 0,
) -> Influence:
    """By how much the loss of each query would change if each training row were left out, in units of the loss.

    Positive: without the row the loss would be larger, so the row helps. A row is left out of the label loss; what the
    other rows count for, and penalties, stay. The model is left as it is, and runs in eval mode, except with "replay".

    Args:
        model: the trained network.
        data: the rows it was trained on, as `correct` takes them.
        query: rows with labels to ask about, as ``data``; or a function of the model that gives a loss, or several, as
            a tensor with a gradient.
        method: "exact": by the inverse of the whole Hessian, for at most 5,000 trainable weights.
            "conjugate_gradients": the same for more weights. "ek_fac": by an approximation of the Gauss-Newton matrix,
            layer by layer, for label losses alone. "last_layer": exact, as if all other layers were fixed.
            "gradient_similarity": products of gradients, without a Hessian and not in units of the loss. "replay":
            through the training run itself, which needs ``schedule`` and ``start`` and assumes no minimum.
        curvature: "hessian", or "gauss_newton", which has no negative eigenvalue.
        damping: added to the eigenvalues; None for what brings the smallest to a hundredth of the largest.
        penalties: those that the model was corrected with, as `correct` takes them, with weights that are numbers.
        feedback: what the penalties learned from, as it was given to `correct`.
        schedule: how the model was trained: its label loss and weight decay count; None for the task's loss alone. With
            feedback its steps are careful unless it names others, as in `correct`.
        start: for "replay", the network before it was trained.
        nearest: compute only this many training rows for each query, its nearest in latent space (FastIF, Guo et al.
            2021); the others are NaN.
        seed: of the training run.

    Raises:
        RecipeError: an unknown method or setting.
        TrainingDivergedError: a query of whose influences none is finite.
        UnsupportedModelError: too many weights for "exact", or a task that compares rows.
        FeedbackError: penalties of reviewed rows without feedback.
    """
    way = ways(method=method, curvature=curvature, damping=damping, nearest=nearest, start=start, schedule=schedule)
    how: dict[str, Any] = {"penalties": penalties, "feedback": feedback, "schedule": schedule, "seed": seed}
    asked = asked_of(model, data, query, **how)
    return _of_all_rows(prepared(asked, way)(asked, None), len(asked.learned.dataset))


def _of_all_rows(found: Influence, num_rows: int) -> Influence:
    """The influence with a value for each training row, NaN for those that were not chosen."""
    if found.rows is None:
        return found
    values = torch.full((len(found.values), num_rows), torch.nan, dtype=found.values.dtype)
    return replace(found, values=values.scatter_(1, found.rows, found.values), rows=None)
