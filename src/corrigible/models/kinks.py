"""Functions with a kink that a network calls: beside a kink, what a small change of the weights does is not linear."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from corrigible.models.modes import evaluating, like_parameters
from corrigible.models.nonlinear import FUNCTIONS, KINKED, MAX_POOLS

BENT_ONCE = frozenset({"elu", "celu", "softsign"})
"""Their first derivative has no jump."""
WITH_JUMPS = frozenset((*KINKED, *MAX_POOLS)) - BENT_ONCE


class _Watching(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, None] = {}

    def __torch_function__(self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        known = FUNCTIONS.get(function)
        if known is not None and known.name in WITH_JUMPS:
            self.seen[known.name] = None
        return function(*args, **(kwargs or {}))


def kinks_of(model: nn.Module, x: Tensor) -> tuple[str, ...]:
    """The functions that the network calls on these rows and whose first derivative jumps; empty if it is smooth."""
    with evaluating(model), torch.no_grad(), _Watching() as watching:
        model(like_parameters(x, model).clone())
    return tuple(watching.seen)
