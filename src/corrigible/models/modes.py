"""Context managers that change how a model runs, and restore it afterwards: one thread at a time (see `turns`)."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.errors import DataError, UnsupportedModelError
from corrigible.models.draws import drawing_alike
from corrigible.models.networks import is_compiled
from corrigible.models.remedies import remedies
from corrigible.models.turns import TURN

_RandomState = tuple[Tensor, list[Tensor]]
"""Of the processor, and of each GPU."""


@contextmanager
def in_mode(model: nn.Module, *, training: bool) -> Iterator[nn.Module]:
    """A context with the model in train or eval mode; afterwards every module has its former mode again."""
    with TURN:
        modes = [(module, module.training) for module in model.modules()]
        try:
            if any(mode != training for _, mode in modes):
                _switch(model, training)
            with _as_written(model), remedies():
                yield model
        finally:
            for module, mode in modes:
                module.training = mode


def _switch(model: nn.Module, training: bool) -> None:
    try:
        model.train(training)
    except NotImplementedError as error:
        raise UnsupportedModelError(
            f"the model cannot change between train and eval mode ({error}), as an exported program; give the original "
            "network"
        ) from error


@contextmanager
def _as_written(model: nn.Module) -> Iterator[None]:
    """A context in which compiled parts run uncompiled, and autocast around the call does not lower the precision."""
    device = device_of(model).type
    with ExitStack() as stack:
        if is_compiled(model):
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        if torch.is_autocast_enabled(device):
            stack.enter_context(torch.autocast(device, enabled=False))
        yield


learning = partial(in_mode, training=True)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """A context with the model in eval mode, in which layers that draw outside of a pass give all rows the same draws.

    So predictions depend on neither the order of rows nor their division into parts.
    """
    with in_mode(model, training=False), drawing_alike(0):
        yield model


@contextmanager
def frozen_norms(model: nn.Module) -> Iterator[nn.Module]:
    """A context in which normalisation layers use running statistics, so that rows do not mix; others keep their mode.

    Raises:
        UnsupportedModelError: see ``require_separate_rows``.
    """
    require_separate_rows(model)
    with TURN:
        norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._NormBase) and m.training]
        for norm in norms:
            norm.eval()
        try:
            yield model
        finally:
            for norm in norms:
                norm.train()


def mixes_rows(model: nn.Module) -> bool:
    """Whether a normalisation layer currently computes statistics over the rows of a batch."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training for m in model.modules())


def require_separate_rows(model: nn.Module) -> None:
    """Check that the rows of a batch do not influence each other in eval mode.

    Raises:
        UnsupportedModelError: a batch normalisation without running statistics.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and not module.track_running_stats:
            raise UnsupportedModelError(
                f"layer {name!r} normalises over the batch even in eval mode, so that no row has a prediction of its "
                "own; build it with track_running_stats=True"
            )


def device_of(model: nn.Module) -> torch.device:
    """The device of the model's first parameter; the CPU for a model without parameters."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def like_parameters(x: Float[Tensor, " batch *input"], model: nn.Module) -> Float[Tensor, " batch *input"]:
    """The rows on the model's device and in its precision.

    Raises:
        DataError: a number that is too large for this precision.
    """
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), x.dtype)
    found = x.to(device_of(model), dtype)
    if x.dtype == torch.float64 and dtype != x.dtype and not bool(found.sum().isfinite()):
        most = float(x.abs().max())
        if math.isfinite(most) and most > torch.finfo(dtype).max:
            raise DataError(
                f"x holds numbers of size {most:.3g}, which the model's {dtype} cannot hold; expected at most "
                f"{torch.finfo(dtype).max:.3g}: scale or drop that input"
            )
    return found


class PrivateRandomness:
    """PyTorch's global random state, swapped for a private one inside ``with``; it goes on where it left off.

    PyTorch has one such state per device for the whole process. So one thread is inside at a time, and the next one
    waits: each sees its own draws, and the state outside is what it was. A thread that draws without going inside may
    meet the private state of another. Do not wait inside for a thread that goes inside too.
    """

    def __init__(self, seed: int) -> None:
        self._inner = _seeded_state(whole_number("seed", seed))

    def __enter__(self) -> None:
        TURN.acquire()
        self._outer = random_state()
        _set_random_state(self._inner)

    def __exit__(self, *error: object) -> None:
        try:
            self._inner = random_state()
            _set_random_state(self._outer)
        finally:
            TURN.release()


@contextmanager
def untouched(model: nn.Module, seed: int) -> Iterator[None]:
    """A context with gradients on, the model in eval mode and a private random state; all are restored afterwards."""
    with PrivateRandomness(seed), drawing_alike(seed), evaluating(model), _following_gradients():
        yield


@contextmanager
def _following_gradients() -> Iterator[None]:
    with torch.inference_mode(False), torch.enable_grad():
        yield


def _seeded_state(seed: int) -> _RandomState:
    """The state after ``torch.manual_seed``, made beside the global generators: no thread sees them change."""
    num_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    devices = ["cpu", *(f"cuda:{number}" for number in range(num_devices))]
    first, *others = [torch.Generator(device).manual_seed(seed).get_state() for device in devices]
    return first, others


def random_state() -> _RandomState:
    return torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []


def _set_random_state(state: _RandomState) -> None:
    torch.set_rng_state(state[0])
    if state[1]:
        torch.cuda.set_rng_state_all(state[1])
