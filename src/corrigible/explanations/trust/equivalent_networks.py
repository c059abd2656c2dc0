"""Rewrite a network as other networks that compute the same function."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from corrigible.models.networks import copied

POSITIVELY_HOMOGENEOUS = (nn.ReLU, nn.LeakyReLU, nn.Dropout, nn.Identity, nn.MaxPool2d, nn.AvgPool2d)
CHANNEL_BY_CHANNEL = (*POSITIVELY_HOMOGENEOUS, nn.SiLU, nn.GELU, nn.ELU, nn.Softplus, nn.Sigmoid, nn.Tanh)
OFFSET = 0.7390851
"""An arbitrary number, so that no input lies at the kink where the two ReLUs meet."""


class Pair(NamedTuple):
    """Two layers of one ``Sequential`` with only elementwise functions and pooling between them."""

    layers: nn.Sequential
    first: int
    second: int

    @property
    def between(self) -> list[nn.Module]:
        return list(self.layers)[self.first + 1 : self.second]


class TwoReLUs(nn.Module):
    """A model behind x = ReLU(x + c) − ReLU(−x − c) − c."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Float[Tensor, " batch *input"]) -> Tensor:
        moved = x + OFFSET
        found: Tensor = self.model(functional.relu(moved) - functional.relu(-moved) - OFFSET)
        return found


def equivalent_networks(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Networks that compute the same function as this one, each with a description of the change.

    Hidden units of successive linear layers and convolutions in a ``Sequential`` are reordered, split in two or
    rescaled; layers that do nothing are inserted after activations. Any model can be put behind two ReLUs.
    """
    for name, rewrite in _REWRITES.items():
        changed = copied(model)
        if [pair for pair in list(_pairs(changed)) if rewrite(pair)]:
            yield name, changed
    changed = copied(model)
    if [layers for layers in list(changed.modules()) if isinstance(layers, nn.Sequential) and _pass_on(layers)]:
        yield "layers that do nothing", changed
    yield "input as the difference of two ReLUs", TwoReLUs(copied(model))


def _pairs(model: nn.Module) -> Iterator[Pair]:
    uses = Counter(id(module) for _, module in model.named_modules(remove_duplicate=False))
    for layers in [module for module in model.modules() if isinstance(module, nn.Sequential)]:
        last: int | None = None
        for place, module in enumerate(layers):
            is_weighted = type(module) is nn.Linear or (type(module) is nn.Conv2d and module.groups == 1)
            if is_weighted and uses[id(module)] == 1:
                if last is not None and type(layers[last]) is type(module):
                    yield Pair(layers, last, place)
                last = place
            elif not isinstance(module, CHANNEL_BY_CHANNEL):
                last = None


def _reordered(pair: Pair) -> bool:
    first, second = _weights(pair)
    order = torch.arange(len(first.weight), device=first.weight.device).flip(0)
    _set(first, first.weight[order], None if first.bias is None else first.bias[order])
    _set(second, second.weight[:, order], second.bias)
    return True


def _split(pair: Pair) -> bool:
    first, second = _weights(pair)
    _set(first, torch.cat([first.weight] * 2), None if first.bias is None else torch.cat([first.bias] * 2))
    _set(second, torch.cat([0.3 * second.weight, 0.7 * second.weight], dim=1), second.bias)
    return True


def _rescaled(pair: Pair) -> bool:
    if not all(isinstance(module, POSITIVELY_HOMOGENEOUS) for module in pair.between):
        return False
    first, second = _weights(pair)
    _set(first, 4 * first.weight, None if first.bias is None else 4 * first.bias)
    _set(second, second.weight / 4, second.bias)
    return True


def _pass_on(layers: nn.Sequential) -> bool:
    """Insert a layer that does nothing after every activation that follows a layer with weights."""
    places = [
        place
        for place, (layer, after) in enumerate(pairwise(layers))
        if type(layer) in (nn.Linear, nn.Conv2d) and isinstance(after, CHANNEL_BY_CHANNEL)
    ]
    for place in reversed(places):
        layer = layers[place]
        assert isinstance(layer, nn.Linear | nn.Conv2d)
        width = len(layer.weight)
        identity = torch.eye(width, dtype=layer.weight.dtype, device=layer.weight.device)
        same: nn.Linear | nn.Conv2d = nn.Linear(width, width)
        if isinstance(layer, nn.Conv2d):
            same, identity = nn.Conv2d(width, width, 1), identity[:, :, None, None]
        _set(same, identity, torch.zeros_like(identity[:, 0].flatten()[:width]))
        layers.insert(place + 2, same)
    return bool(places)


_REWRITES: dict[str, Callable[[Pair], bool]] = {
    "hidden units in another order": _reordered,
    "hidden units split in two": _split,
    "hidden units rescaled": _rescaled,
}


def _weights(pair: Pair) -> tuple[nn.Linear | nn.Conv2d, nn.Linear | nn.Conv2d]:
    first, second = pair.layers[pair.first], pair.layers[pair.second]
    assert isinstance(first, nn.Linear | nn.Conv2d) and isinstance(second, nn.Linear | nn.Conv2d)
    return first, second


def _set(layer: nn.Linear | nn.Conv2d, weight: Tensor, bias: Tensor | None) -> None:
    """Replace the layer's weights, and update the sizes that it records."""
    layer.weight = nn.Parameter(weight.detach().clone())
    layer.bias = None if bias is None else nn.Parameter(bias.detach().clone())
    outputs, inputs = weight.shape[:2]
    if isinstance(layer, nn.Conv2d):
        layer.out_channels, layer.in_channels = outputs, inputs
    else:
        layer.out_features, layer.in_features = outputs, inputs
