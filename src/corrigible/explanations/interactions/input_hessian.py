"""Second derivatives of the score: the interaction of two inputs at the point itself.

Friedman and Popescu 2008, Predictive learning via rule ensembles, section 8: two inputs interact where the mixed second
derivative is not 0.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.explanations.passes import pass_over, require_gradient
from corrigible.explanations.question import checked_question
from corrigible.explanations.scores import score_named
from corrigible.models.centring import centred
from corrigible.models.forward import Forward, Score
from corrigible.models.modes import untouched
from corrigible.models.networks import network_of
from corrigible.tasks import TaskChoice
from corrigible.types import Columns


def input_hessian(
    model: nn.Module,
    x: Any,
    target: Any,
    *,
    score: str | Score | None = None,
    task: TaskChoice | None = None,
    columns: Columns | None = None,
    seed: int = 0,
    differentiable: bool = False,
    rows_at_once: int | None = None,
) -> Float[Tensor, " batch inputs inputs"]:
    """The score's second derivatives with respect to each pair of a row's inputs, flattened.

    Symmetric; in units of the score per unit of both inputs. Over the one-hot columns of a category it is centred on
    both sides, as `input_gradient` is. Takes one backward pass per input, and memory for rows × inputs² numbers.

    The logits of a ReLU network are piecewise linear: their second derivatives are 0 wherever they exist, because
    interactions happen only at the kinks. Run it inside ``with smooth_activations_of(10.0)``, or use
    `integrated_hessians` with a ``beta``, which also covers the path from a baseline to the row.

    Args:
        x: rows, (batch, …), as `explain` takes them.
        target: a class, one per row, or None as in `explain`; pairs (batch, 2) ask why one rather than another.
        score, task: as in `explain`; None for the task's own score.

    Raises:
        RecipeError, DataError: an unknown score; an x, target or rows_at_once that does not fit.
        NoGradientError: differentiable, but no parameter would get a gradient.
    """
    model = network_of(model)
    with untouched(model, seed):
        question = checked_question(
            model, x, target, score=score, task=task, columns=columns, seed=seed, rows_at_once=rows_at_once
        )
        parts = []
        for some in torch.arange(len(question.x), device=question.x.device).split(question.rows_at_once):
            asked = question.about(some)
            forward = pass_over(model, asked.x, asked.target, seed=seed)
            parts.append(
                input_hessian_of(
                    forward, asked.target, score=question.score, columns=columns, create_graph=differentiable
                )
            )
        found = torch.cat(parts)
        if differentiable:
            require_gradient(model, found, "input_hessian")
        return found


def input_hessian_of(
    forward: Forward,
    target: Int[Tensor, " batch *contrast"],
    *,
    score: str | Score = "target_logit",
    columns: Columns | None = None,
    create_graph: bool = True,
) -> Float[Tensor, " batch inputs inputs"]:
    """Second derivatives of the score of an existing pass, with respect to each pair of inputs."""
    scores = score_named(score, forward)(forward.outputs, target).sum()
    gradient = forward.gradient(scores, forward.x).flatten(1)
    found = [forward.gradient(of.sum(), forward.x, create_graph=create_graph).flatten(1) for of in gradient.unbind(1)]
    hessian = torch.stack(found, dim=1)
    if columns is None:
        return hessian
    return _centred_over_columns(_centred_over_columns(hessian, columns).transpose(1, 2), columns).transpose(1, 2)


def _centred_over_columns(hessian: Float[Tensor, " batch input column"], columns: Columns) -> Tensor:
    return centred(hessian.flatten(0, 1), columns).reshape(hessian.shape)
