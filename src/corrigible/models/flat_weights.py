"""A network's trainable parameters as one vector, at which it can be run without changing it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from corrigible.errors import NoGradientError


@dataclass(frozen=True)
class FlatWeights:
    """Where each trainable parameter of a network stands in one vector of all of them."""

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]

    @property
    def count(self) -> int:
        """How many numbers there are."""
        return sum(self.sizes)

    @property
    def sizes(self) -> list[int]:
        return [shape.numel() for shape in self.shapes]

    def vector(self, model: nn.Module) -> Float[Tensor, " weight"]:
        """The values of the network, copied."""
        named = dict(model.named_parameters())
        return torch.cat([named[name].detach().flatten() for name in self.names])

    def named(self, vector: Float[Tensor, " weight"]) -> dict[str, Tensor]:
        """The parameters by name, as views of the vector."""
        parts = vector.split(self.sizes)
        return {name: part.view(shape) for name, part, shape in zip(self.names, parts, self.shapes, strict=True)}

    def joined(self, named: Mapping[str, Tensor]) -> Float[Tensor, " row weight"]:
        """Tensors with one entry per row, such as gradients of rows, by name, as one vector for each row."""
        return torch.cat([named[name].flatten(1) for name in self.names], dim=1)

    def load(self, model: nn.Module, vector: Float[Tensor, " weight"]) -> None:
        """Write the values into the network."""
        parameters = dict(model.named_parameters())
        with torch.no_grad():
            for name, value in self.named(vector).items():
                parameters[name].copy_(value)


def flat_weights(model: nn.Module) -> FlatWeights:
    """The layout of the trainable parameters, each once, in the order of the network.

    Raises:
        NoGradientError: there are none, or they differ in precision or device.
    """
    named = [(name, value) for name, value in model.named_parameters() if value.requires_grad]
    if not named:
        raise NoGradientError("the model has no parameter that may be trained: unfreeze some with requires_grad_()")
    kinds = {(value.dtype, value.device) for _, value in named}
    if len(kinds) > 1:
        found = ", ".join(sorted(f"{dtype} on {device}" for dtype, device in kinds))
        raise NoGradientError(f"the parameters are {found}; expected one precision and one device: model.to(…)")
    return FlatWeights(tuple(name for name, _ in named), tuple(value.shape for _, value in named))


class _Inside(nn.Module):
    """A function of a network, as a module, so that it can be called at other weights."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, function: Any, *args: Any) -> Any:
        return function(self.network, *args)


def at_weights(model: nn.Module, named: Mapping[str, Tensor], function: Any, *args: Any) -> Any:
    """What the function (model, …) gives with these parameters in place of the model's own, which are left as they are.

    Gradients of the result reach the given parameters.
    """
    inside = _Inside(model)
    inside.training = model.training
    return functional_call(inside, {f"network.{name}": value for name, value in named.items()}, (function, *args))
