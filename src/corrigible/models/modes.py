"""Change how a model runs for a moment, and leave it as it was found."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn


@contextmanager
def in_mode(model: nn.Module, *, training: bool) -> Iterator[nn.Module]:
    """The model in train or eval mode; afterwards every module has the mode it had."""
    modes = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield model
    finally:
        for module, mode in modes:
            module.training = mode


evaluating = partial(in_mode, training=False)
learning = partial(in_mode, training=True)


@contextmanager
def frozen_norms(model: nn.Module) -> Iterator[nn.Module]:
    """Normalisation layers use their running statistics, so that rows do not mix; the rest keeps its mode."""
    norms = _training_norms(model)
    for norm in norms:
        norm.eval()
    try:
        yield model
    finally:
        for norm in norms:
            norm.train()


def mixes_rows(model: nn.Module) -> bool:
    """True while a normalisation layer computes statistics over the rows of a batch."""
    return bool(_training_norms(model))


def _training_norms(model: nn.Module) -> list[nn.Module]:
    return [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._NormBase) and m.training]


def device_of(model: nn.Module) -> torch.device:
    """Where the model's first parameter lies; the CPU for a model without any."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


class PrivateRandomness:
    """PyTorch's global random state, swapped for a private one inside ``with``; it goes on where it left off."""

    def __init__(self, seed: int) -> None:
        self._outer = _random_state()
        torch.manual_seed(seed)
        self._inner = _random_state()
        _set_random_state(self._outer)

    def __enter__(self) -> None:
        self._outer = _random_state()
        _set_random_state(self._inner)

    def __exit__(self, *error: object) -> None:
        self._inner = _random_state()
        _set_random_state(self._outer)


def _random_state() -> tuple[torch.Tensor, list[torch.Tensor]]:
    return torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []


def _set_random_state(state: tuple[torch.Tensor, list[torch.Tensor]]) -> None:
    torch.set_rng_state(state[0])
    if state[1]:
        torch.cuda.set_rng_state_all(state[1])
