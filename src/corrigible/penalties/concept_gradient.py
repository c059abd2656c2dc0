"""Dreyer et al. 2024, From hope to safety: unlearning biases of deep models via gradient penalization in latent space.

RR-ClArC: the score must not change along the direction of a concept in a layer. The score is a random projection of
the log-probabilities, as in `right_reasons`, so that no class can cancel another.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from corrigible.declarations import declared
from corrigible.errors import RecipeError
from corrigible.explanations.baselines import background_rows
from corrigible.explanations.concepts import concept_gradient_of, concept_layer_of, pooled
from corrigible.explanations.marks.shares import mean_over_marked
from corrigible.models.forward import Forward
from corrigible.types import Batch


@declared(looks_at="layers")
def concept_gradient(
    forward: Forward,
    batch: Batch,
    *,
    direction: Tensor | None = None,
    background: Tensor | None = None,
    layer: str | None = None,
    score: str = "random_projection",
) -> Float[Tensor, ""]:
    """Mean squared derivative of the score along the concept's direction, over the rows with marks.

    At least 0, in squared units of the score per unit of the layer's activation averaged over positions. It is 0
    exactly when no score changes along the direction. The marks only select the rows.

    Args:
        direction: (channel,), of any length; None computes it for each row, as the change of the layer when the marked
            inputs are replaced by their mean over the background. That costs a second pass, but follows the network as
            it changes: training can turn the concept away from a fixed direction.
        background: rows, (row, *input); None for those of the batch, which do not help if the marked inputs are the
            same on all of them. Used only without a direction.
        layer: the layer's name; None for the last convolution, or if there is none the layer before the logits.

    Raises:
        RecipeError: a direction whose length is not the layer's number of channels.
        DataError: a background of other inputs.
        UnsupportedModelError: no such layer ran.
    """
    assert batch.irrelevant is not None
    name = concept_layer_of(forward) if layer is None else layer
    gradient = concept_gradient_of(forward, forward.target, layer=name, score=score)
    along = _shift(forward, batch, background, name) if direction is None else direction.to(gradient)
    if along.shape[-1:] != gradient.shape[1:] or (direction is not None and direction.ndim != 1):
        expected = f"({gradient.shape[1]},), one number per channel of layer {name!r}"
        raise RecipeError(f"direction has shape {tuple(along.shape)}; expected {expected}")
    sensitivity = (gradient * normalize(along, dim=-1)).sum(dim=1)
    return mean_over_marked(sensitivity.square(), batch.irrelevant)


def _shift(forward: Forward, batch: Batch, background: Tensor | None, layer: str) -> Float[Tensor, " batch channel"]:
    """The change of the layer's activation that each row's marked inputs cause."""
    assert batch.irrelevant is not None
    rows = forward.x.detach() if background is None else background_rows(background, forward.x)
    x = torch.where(batch.irrelevant, rows.mean(dim=0), forward.x.detach())
    changed = Forward(forward.model, replace(batch, x=x), seed=forward.seed, track_input=False)
    return pooled(forward.model, layer, forward.activation(layer) - changed.activation(layer))
