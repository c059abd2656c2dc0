"""How much each unit of a layer contributed to a row's score: activation × gradient.

Shrikumar, Greenside, Shcherbina and Kundaje 2016, Not just a black box: gradient × input, taken at a layer. To first
order it is how much the score falls when the unit is set to 0 (Molchanov, Tyree, Karras, Aila and Kautz 2017, Pruning
convolutional neural networks for resource efficient inference).
"""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.explanations.passes import pass_over, require_gradient
from corrigible.explanations.question import Question, checked_question
from corrigible.explanations.scores import score_named
from corrigible.models.forward import Forward, Score
from corrigible.models.modes import untouched
from corrigible.models.networks import network_of
from corrigible.tasks import TaskChoice


def layer_attribution_of(
    forward: Forward,
    target: Int[Tensor, " batch *contrast"],
    *,
    layer: str,
    score: str | Score = "target_logit",
    create_graph: bool = True,
) -> Float[Tensor, " batch *unit"]:
    """The layer's output in this pass times the score's gradient with respect to it.

    Raises:
        UnsupportedModelError: no such layer ran, or the next one overwrites its output in place.
    """
    activation, gradient = _with_gradient(forward, target, layer, score, create_graph=create_graph)
    return activation * gradient


def _with_gradient(
    forward: Forward, target: Int[Tensor, " batch *contrast"], layer: str, score: str | Score, *, create_graph: bool
) -> tuple[Float[Tensor, " batch *unit"], Float[Tensor, " batch *unit"]]:
    """The layer's output in this pass, and the score's gradient with respect to it."""
    activation = forward.activation(layer)
    scores = score_named(score, forward)(forward.outputs, target).sum()
    return activation, forward.gradient(scores, activation, create_graph=create_graph)


def layer_attribution(
    model: nn.Module,
    x: Any,
    target: Any,
    *,
    layer: str,
    score: str | Score | None = None,
    task: TaskChoice | None = None,
    seed: int = 0,
    differentiable: bool = False,
    rows_at_once: int | None = None,
) -> Float[Tensor, " batch *unit"]:
    """The layer's output times the score's gradient with respect to it, in units of the score, in the layer's shape.

    Args:
        x: rows, (batch, …), as `explain` takes them.
        target: a class, one per row, or None as in `explain`; pairs (batch, 2) ask why one rather than another.
        score, task: as in `explain`; None for the task's own score.
        layer: name of the layer, as in ``model.named_modules()``; the output of its last call is used.

    Raises:
        RecipeError, DataError: an unknown score; an x, target or rows_at_once that does not fit.
        UnsupportedModelError: see `layer_attribution_of`.
        NoGradientError: differentiable, but no parameter would get a gradient.
    """
    model = network_of(model)
    with untouched(model, seed):
        asked: dict[str, Any] = {"rows_at_once": rows_at_once, "differentiable": differentiable}
        question = checked_question(model, x, target, score=score, task=task, seed=seed, **asked)
        attribution = torch.cat(
            [activation * gradient for activation, gradient in layer_passes_of(question, layer=layer)]
        )
        if differentiable:
            require_gradient(model, attribution, "layer_attribution")
        return attribution


def layer_passes_of(
    question: Question, *, layer: str
) -> Iterator[tuple[Float[Tensor, " some *unit"], Float[Tensor, " some *unit"]]]:
    """The layer's output for some rows after the other, and the gradient of their scores with respect to it.

    Raises:
        UnsupportedModelError: see `layer_attribution_of`.
    """
    keeps, size = question.differentiable, question.rows_at_once
    for rows, chosen in zip(question.x.split(size), question.target.split(size), strict=True):
        forward = pass_over(question.model, rows, chosen, seed=question.seed)
        pair = _with_gradient(forward, chosen, layer, question.score, create_graph=keeps)
        yield pair if keeps else (pair[0].detach(), pair[1].detach())


def unit_importance(attribution: Float[Tensor, " batch unit *position"]) -> Float[Tensor, " unit"]:
    """Mean absolute attribution of each unit or channel over rows and positions."""
    return attribution.abs().transpose(0, 1).flatten(1).mean(dim=1)


LAYER_EXPLAINERS = {f.__name__: f for f in (layer_attribution,)}
