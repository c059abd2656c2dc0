"""Rows as the inputs of a network's last linear layer, or as a layer's units."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.data.dataset import rows_of
from corrigible.data.protocol import Dataset
from corrigible.errors import UnsupportedModelError
from corrigible.explanations.examples._taken_rows import taking
from corrigible.explanations.layer_output import LayerOutput
from corrigible.models.bayes.last_layer import last_linear
from corrigible.models.modes import evaluating, like_parameters

ROWS_AT_ONCE = 256


def latent_rows(model: nn.Module, dataset: Dataset, *, layer: str | None = None) -> Float[Tensor, " row unit"]:
    """What the network makes of each row before its last linear layer, or the units of the layer that is named.

    Raises:
        DataError: rows of a shape that the network cannot take.
        UnsupportedModelError: no such layer, or one that does not run once with one vector for each row.
    """
    return torch.cat([part for _, part in latent_parts(model, dataset, layer=layer)])


def latent_parts(
    model: nn.Module, dataset: Dataset, *, layer: str | None = None
) -> Iterator[tuple[Int[Tensor, " row"], Float[Tensor, " row unit"]]]:
    """The same in parts, each with the positions of its rows, so that not all need to be in memory."""
    read: Any = _before_last(model, last_linear(model)) if layer is None else LayerOutput(model, layer)
    for index in torch.arange(len(dataset)).split(ROWS_AT_ONCE):
        with evaluating(model), torch.no_grad(), taking(dataset):
            part = read(like_parameters(rows_of(dataset, index).x, model).clone())
        yield index, part


def _before_last(model: nn.Module, name: str) -> Any:
    layer = model.get_submodule(name)

    def read(x: Tensor) -> Tensor:
        seen: list[Tensor] = []
        hook = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        try:
            model(x)
        finally:
            hook.remove()
        if len(seen) != 1 or seen[0].ndim != 2 or len(seen[0]) != len(x):
            raise UnsupportedModelError(
                f"layer {name!r} does not get one vector for each row, once; name another with layer=…"
            )
        return seen[0]

    return read
