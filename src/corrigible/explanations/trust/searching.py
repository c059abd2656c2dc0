"""Make an explanation differentiable with respect to its input."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from corrigible.models.nonlinear import Nonlinearities
from corrigible.models.softplus import rounded_off


class Searching(TorchFunctionMode):
    """A mode in which explanations keep their graph to the rows, and the model's ReLUs are smooth.

    Explainers detach the rows they get; in this mode detaching has no effect outside the model's own pass, so the
    attribution keeps its graph to the rows. The gradient of a ReLU network is constant almost everywhere; in this mode
    its ReLUs, and all other functions that `rounded_off` covers, are softplus with the given sharpness, as in
    Dombrowski et al. 2019, section 3.
    """

    def __init__(self, model: nn.Module, sharpness: float) -> None:
        super().__init__()
        self._model = model
        self._smooth = Nonlinearities(lambda call: (rounded_off(call, sharpness), None))
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

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._depth:
            return self._smooth.__torch_function__(function, types, args, kwargs)
        if function in _DETACHING and args[0].requires_grad:
            return args[0]
        if function in _READING:
            return function(args[0].detach(), *args[1:], **kwargs)
        return function(*args, **kwargs)

    def _enter_model(self, *call: Any) -> None:
        self._depth += 1

    def _leave_model(self, *call: Any) -> None:
        self._depth -= 1


_DETACHING = (Tensor.detach, torch.detach, Tensor.requires_grad_)
_READING = (Tensor.numpy, Tensor.__array__)
