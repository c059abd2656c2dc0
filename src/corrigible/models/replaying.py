"""A model that goes on from another value of a layer than the layer gives."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from corrigible.errors import DataError, UnsupportedModelError
from corrigible.models.networks import hookable


@contextmanager
def replacing_output(model: nn.Module, layer: str, value: Any, is_running: Callable[[], bool]) -> Iterator[None]:
    """A context in which the named layer gives this value, whatever it is given.

    Args:
        is_running: whether the run that the value is meant for is what runs; other threads may run the model too.

    Raises:
        UnsupportedModelError: no such layer, or it does not run once.
        DataError: a value of another shape, type or device than what the layer gives.
    """
    # Other hooks on the layer, registered later, see the value.
    modules = {name: module for name, module in hookable(model) if name}
    if layer not in modules:
        raise UnsupportedModelError(f"no layer {layer!r}; this model has {', '.join(modules)}")
    num_runs = 0

    def replaced(_: nn.Module, given: Any, output: Any) -> Tensor | None:
        nonlocal num_runs
        if not is_running():
            return None
        num_runs += 1
        if num_runs > 1:
            raise UnsupportedModelError(f"layer {layer!r} runs more than once; name a layer that runs once")
        _require_alike(layer, output, value)
        copy: Tensor = value.clone()  # The layer after it may work in place.
        return copy

    hook = modules[layer].register_forward_hook(replaced)
    try:
        yield
    finally:
        hook.remove()
    if not num_runs:
        raise UnsupportedModelError(f"layer {layer!r} does not run; name one that does")


def _require_alike(layer: str, output: Any, value: Any) -> None:
    if not isinstance(output, Tensor) or not isinstance(value, Tensor) or _kind(output) != _kind(value):
        raise DataError(f"layer {layer!r} gives {_described(output)}, and the value is {_described(value)}")


def _kind(value: Tensor) -> tuple[Any, ...]:
    return value.shape, value.dtype, value.device


def _described(value: Any) -> str:
    if not isinstance(value, Tensor):
        return f"no tensor but a {type(value).__name__}"
    return f"a tensor of shape {tuple(value.shape)}, {value.dtype}, on {value.device}"
