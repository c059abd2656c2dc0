"""Shut weakly active units, more of them in deeper layers: the share of regularised units grows by 5 % a layer.

After a student's proposal, L(i) = L_base + λ e^{αi} L_layer + β L_contrastive(i). Mended here: the label loss counts
once, not once per layer; the layers' terms are joined by a mean weighted by e^{αi}, so that λ means the same for any
depth; the exponent is cut off; and a layer's term is the share of its activation on the units that it regularises,
because a network can make activations small and the next weights large without changing anything. The last term is the
penalty `contrastive`, and λ and β are the penalties' weights.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.errors import RecipeError
from corrigible.explanations.marks.shares import share_on
from corrigible.models.forward import Forward
from corrigible.models.hidden_units import hidden_layers, per_unit
from corrigible.types import Batch

MOST_EXPONENT = 3.0
"""No layer weighs more than 20 times as much as without growth."""


@declared(rows="labelled", looks_at="layers")
def layer_sparsity(
    forward: Forward,
    batch: Batch,
    *,
    layers: Sequence[str] | None = None,
    share_per_layer: float = 0.05,
    most: float = 0.5,
    growth: float = 0.5,
) -> Float[Tensor, ""]:
    """Share of the rows' activation that lies on regularised units, from 0 to 1: a weighted mean over layers.

    In the i-th layer the regularised units are those whose mean absolute activation in the batch is smallest: a share
    of ``share_per_layer`` × i of the units, up to ``most``, and at least one. The layer has the weight e^(growth × i)
    with an exponent of at most 3. It is 0 exactly when all regularised units are shut on every row.

    Args:
        layers: names of layers; None for all activation functions that are layers of their own. They are counted from
            the input on.
        growth: of a layer's weight; 0 weighs all layers alike.

    Raises:
        RecipeError: a share or growth that is out of range.
        UnsupportedModelError: no such layer ran, or the next one overwrites its output in place.
    """
    if not (0 < share_per_layer <= 1 and 0 < most <= 1 and 0 <= growth < float("inf")):
        raise RecipeError(
            f"share_per_layer is {share_per_layer}, most is {most}, growth is {growth}; expected shares above 0 and up "
            "to 1, and a growth of at least 0"
        )
    shares, weights = [], []
    for number, layer in enumerate(hidden_layers(forward, layers), start=1):
        magnitude = per_unit(forward.activation(layer).abs())
        shares.append(share_on(magnitude, _weakest(magnitude, min(share_per_layer * number, most))).mean())
        weights.append(math.exp(min(growth * number, MOST_EXPONENT)))
    return torch.stack([weight * share for weight, share in zip(weights, shares, strict=True)]).sum() / sum(weights)


def _weakest(magnitude: Float[Tensor, " batch unit"], share: float) -> Float[Tensor, " batch unit"]:
    """1 for this share of the units, those with the smallest mean, and at least one; 0 for the others."""
    order = magnitude.detach().mean(dim=0).argsort()
    count = max(1, round(share * len(order)))
    return torch.zeros_like(magnitude).index_fill(1, order[:count], 1.0)
