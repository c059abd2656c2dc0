"""Selvaraju et al. 2019, Taking a HINT: leveraging explanations to make vision and language models more grounded.

Section 3.2: what a person calls more important than something else should be more important to the network too. The
loss is a hinge over the pairs that the network ranks the other way round. Here the person's ranking has two steps,
relevant above not relevant, and the importances are divided by their mean size.
"""

from collections.abc import Mapping
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor, nn

from corrigible.declarations import LooksAt, declared
from corrigible.explanations.attribution.grad_cam import class_map_of
from corrigible.explanations.marks.shares import negligible
from corrigible.explanations.marks.upsampling import weights_on
from corrigible.explanations.scores import score_named
from corrigible.models.forward import Forward
from corrigible.types import Batch


def _looked_at(settings: Mapping[str, Any]) -> LooksAt:
    return "input" if settings.get("attribution") == "input_gradient" else "layers"


@declared(serves=("relevant",), looks_at=_looked_at)
def should_matter(
    forward: Forward,
    batch: Batch,
    *,
    attribution: Literal["grad_cam", "input_gradient"] | None = None,
    score: str = "margin",
    layer: str | None = None,
) -> Float[Tensor, ""]:
    """How far inputs not marked relevant outrank relevant ones: from 0 to 1, averaged over rows that have both.

    Per row: the mean of max(0, b - a) over all pairs of a relevant input's importance a and another's b, divided by
    the mean of |a| plus the mean of |b|. It is 0 exactly when no pair is ranked the wrong way round. The scale of the
    importances does not matter, so it cannot be reduced by large gradients.

    Args:
        attribution: the enlarged Grad-CAM map before its ReLU, or absolute input gradients; None takes Grad-CAM if a
            two-dimensional convolution ran.
        layer: the layer of Grad-CAM; None for the last convolution with more than one place.

    Raises:
        UnsupportedModelError: Grad-CAM without a convolution or without images.
    """
    if batch.relevant is None:
        return forward.outputs.sum() * 0.0
    if attribution == "grad_cam" or (attribution is None and _ran_convolution(forward)):
        importance = class_map_of(forward, forward.target, layer=layer, score=score)
        relevant, everything = weights_on(batch.relevant, importance)
        other = (everything - relevant).clamp_min(0.0)
    else:
        tracked = forward if forward.x.requires_grad else Forward(forward.model, batch, seed=forward.seed)
        importance = tracked.input_gradient(score_named(score, tracked), tracked.target).abs()
        relevant, other = batch.relevant.to(importance.dtype), (~batch.relevant).to(importance.dtype)
    return _mean_misranking(importance.flatten(1), relevant.flatten(1), other.flatten(1))


def _mean_misranking(
    importance: Float[Tensor, " batch input"],
    relevant: Float[Tensor, " batch input"],
    other: Float[Tensor, " batch input"],
) -> Float[Tensor, ""]:
    """The mean over rows of the weighted mean over pairs, computed by sorting instead of visiting each pair."""
    size = importance.abs()
    share, rest = (weight / _or_one(weight.sum(dim=1, keepdim=True)) for weight in (relevant, other))
    scale = ((share + rest) * size).sum(dim=1)
    order = importance.detach().argsort(dim=1)
    ranked, share, rest = (values.gather(1, order) for values in (importance, share, rest))
    # How far each input lies above the relevant ones below it.
    excess = ranked * share.cumsum(dim=1) - (share * ranked).cumsum(dim=1)
    hinge = (rest * excess.clamp_min(0.0)).sum(dim=1)
    counts = (relevant.sum(dim=1) > 0) & (other.sum(dim=1) > 0)
    return (hinge / _or_one(scale) * counts).sum() / counts.sum().clamp_min(1)


def _or_one(values: Tensor) -> Tensor:
    return values.where(values > negligible(values.dtype), 1.0)


def _ran_convolution(forward: Forward) -> bool:
    return any(isinstance(forward.model.get_submodule(name), nn.Conv2d) for name in forward.layers)
