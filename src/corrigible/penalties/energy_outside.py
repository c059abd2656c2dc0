"""Attention to a box: the share of the attribution that lies outside of it.

The complement of the energy-based pointing game (Wang et al. 2020, Score-CAM, section 4.2); as a training objective:
Rao et al. 2023, Studying how to efficiently and effectively guide models with explanations, section 3.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.explanations.attribution.grad_cam import class_map_of
from corrigible.explanations.marks.shares import mean_over_marked, share_on
from corrigible.explanations.marks.upsampling import map_share_on
from corrigible.explanations.scores import score_named
from corrigible.models.forward import Forward
from corrigible.types import Batch


@declared(serves=("irrelevant", "relevant"))
def energy_outside(
    forward: Forward,
    batch: Batch,
    *,
    attribution: Literal["input_gradient", "grad_cam"] = "input_gradient",
    score: str = "random_projection",
    layer: str | None = None,
) -> Float[Tensor, ""]:
    """Share, from 0 to 1, of the attribution that lies outside what is relevant or inside what is irrelevant.

    Averaged over rows with any mark. On a row with relevant marks, everything that is not marked relevant is outside;
    on other rows, only what is marked irrelevant. It is 0 exactly when no attribution is outside. The scale of the
    gradients does not matter, so it cannot be reduced by small gradients, but by larger ones inside.

    Args:
        attribution: absolute input gradients, or the enlarged Grad-CAM map.
        layer: the layer of Grad-CAM; None for the last convolution that ran.

    Raises:
        UnsupportedModelError: Grad-CAM without a convolution or without images.
    """
    outside = _outside(batch)
    if attribution == "input_gradient":
        size = forward.input_gradient(score_named(score, forward), forward.target).abs()
        return mean_over_marked(share_on(size, outside.to(size.dtype)), outside)
    heat = class_map_of(forward, forward.target, layer=layer, score=score).relu()
    return mean_over_marked(map_share_on(heat, outside), outside)


def _outside(batch: Batch) -> Bool[Tensor, " batch *input"]:
    found = torch.zeros_like(batch.x, dtype=torch.bool) if batch.irrelevant is None else batch.irrelevant
    if batch.relevant is None:
        return found
    has_box = batch.relevant.flatten(1).any(dim=1).reshape(-1, *[1] * (batch.x.ndim - 1))
    return found | (has_box & ~batch.relevant)
