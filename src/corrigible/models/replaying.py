"""A model that goes on from another value of a layer than the layer gives."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from corrigible.errors import UnsupportedModelError
from corrigible.models.networks import hookable


@contextmanager
def replacing_output(model: nn.Module, layer: str, value: Tensor, is_running: Callable[[], bool]) -> Iterator[None]:
    """A context in which the named layer gives this value, whatever it is given.

    Args:
        is_running: whether the run that the value is meant for is what runs; other threads may run the model too.

    Raises:
        UnsupportedModelError: no such layer, or it does not run once.
        ValueError: a value of another shape than what the layer gives.
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
        if not isinstance(output, Tensor) or output.shape != value.shape:
            found = f"outputs of shape {tuple(output.shape)}" if isinstance(output, Tensor) else "no tensor"
            raise ValueError(f"layer {layer!r} gives {found}, and the value has shape {tuple(value.shape)}")
        return value

    hook = modules[layer].register_forward_hook(replaced)
    try:
        yield
    finally:
        hook.remove()
    if not num_runs:
        raise UnsupportedModelError(f"layer {layer!r} does not run; name one that does")
