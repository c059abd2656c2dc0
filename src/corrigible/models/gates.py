"""Louizos, Welling and Kingma 2018, Learning sparse neural networks through L0 regularization: hard concrete gates.

In training a gate is drawn for each row: a logistic number, squeezed between 0 and 1, stretched a little beyond, and
cut off at 0 and 1. So it is exactly 0 with a probability that has a gradient. In eval mode nothing is drawn and each
gate has a fixed value (equation 13). Constants are the paper's.
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.special import log_ndtr

from corrigible.errors import UnsupportedModelError
from corrigible.models.draws import normal_like
from corrigible.models.networks import copied, network_of

TEMPERATURE, LOW, HIGH = 2 / 3, -0.1, 1.1
"""β, γ and ζ of the paper: the squeeze, and the ends to which the squeezed number is stretched."""
START = 2.4
"""The first value of log α: just large enough for the gate to be 1 in eval mode, so that the model stays as it was."""
Of = Literal["units", "inputs"]
Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d


class Gated(nn.Module):
    """A layer whose units, or whose inputs, are each multiplied by a gate from 0 to 1.

    Args:
        name: of the gates' draws; each gated layer of a model needs its own.
    """

    def __init__(self, layer: nn.Linear | Convolution, *, of: Of, name: str) -> None:
        super().__init__()
        self.layer = layer
        self.of = of
        self.name = name
        self.ends_in_units = isinstance(layer, nn.Linear)
        self.log_alpha = nn.Parameter(layer.weight.new_full((layer.weight.shape[0 if of == "units" else 1],), START))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.layer(self._gated(x) if self.of == "inputs" else x)
        return self._gated(found) if self.of == "units" else found

    def values(self) -> Float[Tensor, " unit"]:
        """The gates in eval mode, from 0 (closed) to 1."""
        return _stretched(self.log_alpha)

    def open_probs(self) -> Float[Tensor, " unit"]:
        """The probability that each gate is not 0 in training (equation 12)."""
        return (self.log_alpha - TEMPERATURE * math.log(-LOW / HIGH)).sigmoid()

    def _gated(self, values: Tensor) -> Tensor:
        # How gates are computed is none of the model's functions, for which modes have rules.
        with torch._C.DisableTorchFunction():
            gates = self._drawn(values) if self.training else self.values()[None]
        positions = [1] * (values.ndim - 2)
        shape = (*positions, -1) if self.ends_in_units else (-1, *positions)
        return values * gates.reshape(len(gates), *shape)

    def _drawn(self, values: Tensor) -> Float[Tensor, " batch unit"]:
        normal = normal_like(values.new_empty(len(values), len(self.log_alpha)), name=f"gates/{self.name}")
        # The logit of a uniform number, which is the normal one's rank.
        return _stretched((log_ndtr(normal) - log_ndtr(-normal) + self.log_alpha) / TEMPERATURE)


def with_gates(model: nn.Module, layers: Sequence[str], *, of: Of = "units") -> nn.Module:
    """A copy of the model in which these layers have hard concrete gates, all open: in eval mode it gives the same.

    Train it with the penalty `l0_norm`, which closes gates, and take the gates off with `without_gates`. A closed gate
    sets a unit's output before the activation function, or an input of the layer, to 0.

    Args:
        layers: names of linear layers and convolutions, as in ``model.named_modules()``.
        of: "units" for a gate per output of the layer (a channel of a convolution), "inputs" for one per input.

    Raises:
        UnsupportedModelError: no such layer, one of another kind, or gates of inputs for a convolution in groups.
    """
    gated = copied(network_of(model))
    modules = dict(gated.named_modules())
    for name in layers:
        layer = modules.get(name)
        if layer is None:
            raise UnsupportedModelError(f"no layer {name!r}; this model has {', '.join(filter(None, modules))}")
        if not name or not isinstance(layer, nn.Linear | Convolution):
            raise UnsupportedModelError(f"layer {name!r} is a {type(layer).__name__}; gates fit a Linear or Conv layer")
        if of == "inputs" and isinstance(layer, Convolution) and layer.groups > 1:
            raise UnsupportedModelError(
                f"layer {name!r} is a convolution in groups; gates fit its units, not its inputs"
            )
        gated.set_submodule(name, Gated(layer, of=of, name=f"{name}/{of}").train(layer.training))
    return gated


def without_gates(model: nn.Module) -> nn.Module:
    """A copy without gates, which are multiplied into the weights: it gives what the model gives in eval mode.

    Its layers have the names and shapes that they had before `with_gates`; what is closed has weights of 0.
    """
    plain = copied(network_of(model))
    for name, gated in reversed(gates_in(plain)):  # The innermost first, where a layer has both kinds.
        weight, gates = gated.layer.weight, gated.values().detach()
        with torch.no_grad():
            after = weight.ndim - (1 if gated.of == "units" else 2)
            weight.mul_(gates.reshape(-1, *[1] * after))
            if gated.of == "units" and gated.layer.bias is not None:
                gated.layer.bias.mul_(gates)
        plain.set_submodule(name, gated.layer)
    return plain


def gates_in(model: nn.Module) -> list[tuple[str, Gated]]:
    """The gated layers with their names.

    Raises:
        UnsupportedModelError: the model has none.
    """
    found = [(name, module) for name, module in model.named_modules() if isinstance(module, Gated)]
    if not found:
        raise UnsupportedModelError(
            f"the model is a {type(model).__name__} without gates; give it some: with_gates(model, layers)"
        )
    return found


def _stretched(logit: Tensor) -> Tensor:
    """Between 0 and 1, and exactly 0 or 1 at the ends."""
    return (logit.sigmoid() * (HIGH - LOW) + LOW).clamp(0, 1)
