"""The last step of a network whose outputs are numbers in a unit of their own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

Numbers = float | Sequence[float]
"""One number for all outputs, or one for each."""


class Affine(nn.Module):
    """Outputs times a scale plus a centre, both fixed: the layers before learn amounts as if they were standardised."""

    def __init__(self, centre: Numbers, scale: Numbers) -> None:
        super().__init__()
        # On the CPU also where a network is only sized, without memory for its weights.
        self.register_buffer("centre", torch.as_tensor(centre, dtype=torch.float32, device="cpu"))
        self.register_buffer("scale", torch.as_tensor(scale, dtype=torch.float32, device="cpu"))

    def forward(self, outputs: Float[Tensor, " *rows output"]) -> Float[Tensor, " *rows output"]:
        return outputs * self.get_buffer("scale") + self.get_buffer("centre")

    def extra_repr(self) -> str:
        """Both numbers, by which printed networks are told apart."""
        return f"centre={self.get_buffer('centre').tolist()}, scale={self.get_buffer('scale').tolist()}"


def affine(centre: Numbers, scale: Numbers) -> list[nn.Module]:
    """The modules that bring outputs to this centre and scale: none if they are 0 and 1."""
    step = Affine(centre, scale)
    is_plain = bool((step.get_buffer("centre") == 0).all()) and bool((step.get_buffer("scale") == 1).all())
    return [] if is_plain else [step]


@contextmanager
def centred_at_zero(model: nn.Module) -> Iterator[None]:
    """A context in which every `Affine` of the model has the centre 0."""
    steps = [module for module in model.modules() if isinstance(module, Affine)]
    centres = [step.get_buffer("centre") for step in steps]
    try:
        for step in steps:
            step.register_buffer("centre", torch.zeros_like(step.get_buffer("centre")))
        yield
    finally:
        for step, centre in zip(steps, centres, strict=True):
            step.register_buffer("centre", centre)


def with_affine(network: nn.Module, centre: Numbers, scale: Numbers) -> nn.Module:
    """The network with its outputs brought to this centre and scale; the network itself if they are 0 and 1."""
    last = affine(centre, scale)
    return nn.Sequential(network, *last) if last else network
