"""Make an explanation differentiable in the input it is about."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle


class Searching(TorchFunctionMode):
    """While inside, explanations depend on the rows, and the model's ReLUs are smooth.

    Explainers detach the rows they are given; here detaching changes nothing outside the model's own pass, so that the
    attribution keeps its graph to the rows. A ReLU network's gradient is flat almost everywhere; here its ReLUs are
    softplus with the given sharpness, as in Dombrowski et al. 2019, section 3.
    """

    def __init__(self, model: nn.Module, sharpness: float) -> None:
        super().__init__()
        self._model = model
        self._sharpness = sharpness
        self._depth = 0
        self._hooks: list[RemovableHandle] = []

    def __enter__(self) -> "Searching":
        self._hooks = [
            self._model.register_forward_pre_hook(self._enter_model),
            self._model.register_forward_hook(self._leave_model, always_call=True),
        ]
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for hook in self._hooks:
            hook.remove()

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if self._depth:
            return self._softened(function, args, kwargs) if function in _SMOOTH else function(*args, **kwargs)
        if function in _DETACHING and args[0].requires_grad:
            return args[0]
        if function in _READING:
            return function(args[0].detach(), *args[1:], **kwargs)
        return function(*args, **kwargs)

    def _softened(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor:
        call = _bound(function, *args, **kwargs)
        # A copy: what is overwritten in place is still needed for the gradient.
        found = _SMOOTH[function](call.x.clone() if call.is_in_place else call.x, self._sharpness, call.slope)
        return call.x.copy_(found) if call.is_in_place else found

    def _enter_model(self, *call: Any) -> None:
        self._depth += 1

    def _leave_model(self, *call: Any) -> None:
        self._depth -= 1


class _Call(NamedTuple):
    x: Tensor
    slope: float
    is_in_place: bool


def _bound(function: Callable[..., Any], *args: Any, **kwargs: Any) -> _Call:
    """What a ReLU is called with, whichever of its names it goes by."""
    values = dict(zip(_ARGUMENTS.get(function, ("input", "inplace")), args, strict=False)) | kwargs
    is_in_place = function in _IN_PLACE or bool(values.get("inplace", False))
    return _Call(values["input"], values.get("negative_slope", 0.01), is_in_place)


def _relu(x: Tensor, sharpness: float, slope: float) -> Tensor:
    return functional.softplus(x, beta=sharpness)


def _relu6(x: Tensor, sharpness: float, slope: float) -> Tensor:
    return functional.softplus(x, beta=sharpness) - functional.softplus(x - 6, beta=sharpness)


def _leaky_relu(x: Tensor, sharpness: float, slope: float) -> Tensor:
    return slope * x + (1 - slope) * functional.softplus(x, beta=sharpness)


_IN_PLACE = (torch.relu_, Tensor.relu_, functional.relu_, functional.leaky_relu_)
_RELUS = (torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, functional.relu, functional.relu_)
_LEAKY_RELUS = (functional.leaky_relu, functional.leaky_relu_)
_SMOOTH: dict[Any, Callable[[Tensor, float, float], Tensor]] = {
    **dict.fromkeys(_RELUS, _relu),
    functional.relu6: _relu6,
    **dict.fromkeys(_LEAKY_RELUS, _leaky_relu),
}
_ARGUMENTS: dict[Any, tuple[str, ...]] = dict.fromkeys(_LEAKY_RELUS, ("input", "negative_slope", "inplace"))
_DETACHING = (Tensor.detach, torch.detach, Tensor.requires_grad_)
_READING = (Tensor.numpy, Tensor.__array__)
