"""Explaining any function of the rows, not only networks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.errors import UnsupportedModelError


class FromFunction(nn.Module):
    """A function of the rows as a model without parameters.

    The function gets a tensor and gives one score per row, or one per row and class, as a tensor or an array.
    """

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Float[Tensor, " batch *input"]) -> Tensor:
        wants_gradient = x.requires_grad and torch.is_grad_enabled()
        try:
            found = self.function(x)
        except RuntimeError as error:
            if wants_gradient and "requires grad" in str(error):
                raise _no_gradient(self.function) from error
            raise
        scores = found if isinstance(found, Tensor) else _as_tensor(found)
        if wants_gradient and not scores.requires_grad:
            raise _no_gradient(self.function)
        return scores.to(x.device) if scores.is_floating_point() else scores.to(x)


def as_model(function: Any) -> nn.Module:
    """The network itself, or any other function of the rows as a model.

    Raises:
        UnsupportedModelError: not something to call.
    """
    if isinstance(function, nn.Module):
        return function
    if not callable(function):
        raise UnsupportedModelError(f"the model is a {type(function).__name__}; expected a network or a function of x")
    return FromFunction(function)


def _as_tensor(found: Any) -> Tensor:
    try:
        return torch.as_tensor(np.asarray(found))
    except (TypeError, ValueError) as error:
        kind = type(found).__name__
        raise UnsupportedModelError(f"the function gives a {kind}; expected scores as a tensor or an array") from error


def _no_gradient(function: Callable[..., Any]) -> UnsupportedModelError:
    name = getattr(function, "__qualname__", type(function).__name__)
    return UnsupportedModelError(
        f"{name} gives scores without a gradient; choose a method that only looks at scores: "
        "kernel_shap, permutation_shapley, exact_shapley, lime, feature_ablation or occlusion"
    )
