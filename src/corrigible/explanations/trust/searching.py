"""Make an explanation differentiable in the input it is about."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

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
            smooth = _SMOOTH.get(function)
            return function(*args, **kwargs) if smooth is None else smooth(self._sharpness, *args, **kwargs)
        if function in _DETACHING and args[0].requires_grad:
            return args[0]
        if function in _READING:
            return function(args[0].detach(), *args[1:], **kwargs)
        return function(*args, **kwargs)

    def _enter_model(self, *call: Any) -> None:
        self._depth += 1

    def _leave_model(self, *call: Any) -> None:
        self._depth -= 1


def _softplus(sharpness: float, x: Tensor, *flags: Any, **named: Any) -> Tensor:
    return functional.softplus(x, beta=sharpness)


def _softplus_6(sharpness: float, x: Tensor, *flags: Any, **named: Any) -> Tensor:
    return functional.softplus(x, beta=sharpness) - functional.softplus(x - 6, beta=sharpness)


def _leaky(sharpness: float, x: Tensor, slope: float = 0.01, *flags: Any, **named: Any) -> Tensor:
    slope = named.get("negative_slope", slope)
    return slope * x + (1 - slope) * functional.softplus(x, beta=sharpness)


_RELUS = (torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, functional.relu, functional.relu_)
_LEAKY = (functional.leaky_relu, functional.leaky_relu_)
_SMOOTH: dict[Any, Callable[..., Tensor]] = {
    **dict.fromkeys(_RELUS, _softplus),
    functional.relu6: _softplus_6,
    **dict.fromkeys(_LEAKY, _leaky),
}
_DETACHING = (Tensor.detach, torch.detach, Tensor.requires_grad_)
_READING = (Tensor.numpy, Tensor.__array__)
