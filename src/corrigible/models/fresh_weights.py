"""Undo a network's training, layer by layer."""

import zlib
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.errors import UnsupportedModelError
from corrigible.models.modes import PrivateRandomness, untouched
from corrigible.models.networks import copied, hookable
from corrigible.outputs import class_logits


def weighted_layers(model: nn.Module, x: Float[Tensor, " batch *input"]) -> tuple[str, ...]:
    """The names of the layers that hold parameters themselves, from the input to the output.

    They are in the order in which they first finish; a layer that is not called itself takes the place of the layer
    that contains it. Layers that do not run are left out.

    Raises:
        UnsupportedModelError: no layer has parameters.
    """
    probe = copied(model).requires_grad_(True)
    finished: dict[str, int] = {}

    def keep(name: str, *call: Any) -> None:
        finished.setdefault(name, len(finished))

    for name, module in hookable(probe):
        module.register_forward_hook(partial(keep, name))
    with untouched(probe, 0):
        logits = class_logits(probe(x[:1].clone()))
    holders = {name: found for name, module in probe.named_modules() if (found := _own_parameters(module))}
    taking_part = [name for name, found in holders.items() if _reaches(found, logits)]
    if not taking_part:
        raise UnsupportedModelError("no parameter of this model takes part; expected layers that can be randomised")
    return tuple(sorted(taking_part, key=lambda name: _place(name, finished)))


def with_fresh(model: nn.Module, layers: tuple[str, ...], *, seed: int) -> nn.Module:
    """A copy of the model in which these layers have fresh, untrained weights.

    A layer's fresh weights depend only on the seed and its name. Parameters of a layer that cannot initialise itself
    are drawn from a normal distribution with their trained mean and standard deviation.
    """
    randomised = copied(model)
    for name in layers:
        with PrivateRandomness(zlib.crc32(f"{seed}/{name}".encode())), torch.no_grad():
            _reset(randomised.get_submodule(name))
    return randomised


def untrained(model: nn.Module, *, seed: int) -> nn.Module:
    """A copy of the model with fresh, untrained weights in every layer."""
    holders = tuple(name for name, module in model.named_modules() if _own_parameters(module))
    return with_fresh(model, holders, seed=seed)


def _reset(module: nn.Module) -> None:
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        reset()
        return
    for parameter in _own_parameters(module):
        spread = parameter.std() if parameter.numel() > 1 else parameter.abs()
        parameter.copy_(parameter.mean() + spread * torch.randn_like(parameter))


def _own_parameters(module: nn.Module) -> list[nn.Parameter]:
    return [p for p in module.parameters(recurse=False) if p.is_floating_point()]


def _reaches(parameters: list[nn.Parameter], logits: Tensor) -> bool:
    if not logits.requires_grad:
        return False
    found = torch.autograd.grad(logits.sum(), parameters, retain_graph=True, allow_unused=True)
    return any(gradient is not None for gradient in found)


def _place(name: str, finished: dict[str, int]) -> int:
    """When the layer finished; if it was not called, when the innermost layer around it did."""
    while name not in finished:
        name = name.rpartition(".")[0]
    return finished[name]
