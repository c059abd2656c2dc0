"""Units of a layer held at their mean, the others scaled so that the layer contributes as much as before.

The contribution of a unit is its deviation from its mean × the gradient of the score, its size the mean over rows.
Dividing a limited unit's size among the others in proportion to *all* sizes, a_j (1 + |a_i| / Σ_k |a_k|), loses a part:
the others' shares of all sum to less than 1. Here it is divided by the sum of the others, which keeps Σ_k |a_k|:
a_j (1 + |a_i| / Σ_{k≠i} |a_k|) = a_j Σ_k |a_k| / Σ_{k≠i} |a_k|.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.errors import RecipeError
from corrigible.explanations.layers import layer_passes_of
from corrigible.explanations.question import Question
from corrigible.models.concept_projection import ends_in_channels
from corrigible.models.networks import copied


class LimitedUnits(nn.Module):
    """A layer whose output z is mean + ``factor`` · (z − mean), unit by unit."""

    def __init__(self, layer: nn.Module, mean: Float[Tensor, " unit"], factor: Float[Tensor, " unit"]) -> None:
        super().__init__()
        self.layer = layer
        self.mean: Tensor
        self.factor: Tensor
        self.register_buffer("mean", mean.detach().clone())
        self.register_buffer("factor", factor.detach().clone())

    def forward(self, *arguments: Any) -> Tensor:
        given: Tensor = self.layer(*arguments)
        last = ends_in_channels(self.layer)
        output = given if last else given.movedim(1, -1)
        limited = torch.lerp(self.mean.expand_as(output), output, self.factor.expand_as(output))
        return limited if last else limited.movedim(-1, 1)


def limited_units(
    network: nn.Module,
    question: Question,
    *,
    layer: str,
    units: Sequence[int],
    share: float = 0.0,
) -> nn.Module:
    """A copy of the network in which these units have at most that share of the layer's contributions.

    Where the rest of the network is not linear, that is so to first order: measure it again.

    Args:
        question: the rows and the score by which contributions are measured.
        share: 0 holds the units at their mean.

    Raises:
        RecipeError: no such unit, or no contribution of others to take over theirs.
        UnsupportedModelError: no such layer ran.
    """
    mean, size = unit_contributions(question, layer=layer)
    bad = [unit for unit in units if not 0 <= unit < len(size)]
    if bad or not units:
        raise RecipeError(
            f"units are {list(units)}; expected numbers from 0 to {len(size) - 1}, units of layer {layer!r}"
        )
    chosen = torch.zeros(len(size), dtype=torch.bool)
    chosen[list(units)] = True
    factor = _factors(size.cpu(), chosen, share)
    changed = copied(network)
    replaced = changed.get_submodule(layer)
    changed.set_submodule(layer, LimitedUnits(replaced, mean, factor.to(mean)).train(replaced.training))
    return changed


def unit_contributions(question: Question, *, layer: str) -> tuple[Float[Tensor, " unit"], Float[Tensor, " unit"]]:
    """Each unit's mean activation over rows and positions, and its mean size of deviation × gradient."""
    named = dict(question.model.named_modules())
    axis = -1 if layer in named and ends_in_channels(named[layer]) else 1
    passes = [[part.movedim(axis, 0).flatten(1) for part in pair] for pair in layer_passes_of(question, layer=layer)]
    activations, gradients = (torch.cat(parts, dim=1) for parts in zip(*passes, strict=True))
    mean = activations.mean(dim=1)
    return mean, ((activations - mean[:, None]) * gradients).abs().mean(dim=1)


def _factors(size: Float[Tensor, " unit"], chosen: Tensor, share: float) -> Float[Tensor, " unit"]:
    """By how much to scale each deviation: the chosen ones sum to that share, all of them to what they were."""
    total, of_chosen, of_others = (float(part.double().sum()) for part in (size, size[chosen], size[~chosen]))
    if of_chosen <= share * total:
        return torch.ones_like(size)
    if of_others == 0:
        raise RecipeError("no other unit of the layer contributes, so none can take over; limit fewer units")
    kept, others = share * total / of_chosen, (1 - share) * total / of_others
    return torch.where(chosen, kept, others).to(size)
