"""A layer's units as the outputs of a network, and what a score is without the layer."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.errors import UnsupportedModelError
from corrigible.explanations.passes import score_of
from corrigible.explanations.question import Question
from corrigible.models.concept_projection import ends_in_channels
from corrigible.outputs import rows_of_outputs


class LayerOutput(nn.Module):
    """A network cut off after a layer: it gives the layer's units, (batch, unit), summed over positions."""

    def __init__(self, model: nn.Module, layer: str) -> None:
        super().__init__()
        self.model, self.layer = model, layer

    def forward(self, x: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch unit"]:
        kept: list[Tensor] = []
        hook = layer_named(self.model, self.layer).register_forward_hook(lambda _, __, output: kept.append(output))
        try:
            self.model(x)
        finally:
            hook.remove()
        return by_unit(kept[-1], self.model, self.layer)


def by_unit(activation: Tensor, model: nn.Module, layer: str) -> Float[Tensor, " batch unit"]:
    """The layer's output, or something of its shape, summed over positions.

    Raises:
        UnsupportedModelError: it holds no units for each row.
    """
    if activation.ndim < 2:
        raise UnsupportedModelError(f"layer {layer!r} gives shape {tuple(activation.shape)}; expected (batch, unit, …)")
    axis = activation.ndim - 1 if ends_in_channels(layer_named(model, layer)) else 1
    found: Tensor = activation.movedim(axis, 1).flatten(2).sum(dim=2) if activation.ndim > 2 else activation
    return found


def score_without(question: Question, layer: str) -> Float[Tensor, " batch"]:
    """Each row's score where the layer gives 0 for every unit."""
    found = []

    def nothing(module: nn.Module, arguments: Any, output: Tensor) -> Tensor:
        return torch.zeros_like(output)

    hook = layer_named(question.model, layer).register_forward_hook(nothing)
    try:
        with torch.no_grad():
            for some in torch.arange(len(question.x), device=question.x.device).split(question.rows_at_once):
                asked = question.about(some)
                found.append(score_at(asked, asked.x))
    finally:
        hook.remove()
    return torch.cat(found)


def score_at(asked: Question, x: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch"]:
    """The score of the outputs for these inputs; a copy is run, because a model may work in place."""
    outputs = rows_of_outputs(asked.model(x.clone()), len(x))
    return score_of(asked.score, outputs, asked.target, model=asked.model, index=lambda: asked.index, seed=asked.seed)


def layer_named(model: nn.Module, layer: str) -> nn.Module:
    """The layer of that name.

    Raises:
        UnsupportedModelError: there is none.
    """
    named: dict[str, nn.Module] = dict(model.named_modules())
    if layer not in named:
        raise UnsupportedModelError(f"no layer {layer!r}; this model has {', '.join(filter(None, named))}")
    return named[layer]
