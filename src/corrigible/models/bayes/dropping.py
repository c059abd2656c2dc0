"""Dropout that stays on when a model predicts: Gal and Ghahramani 2016, Dropout as a Bayesian approximation.

What is dropped belongs to a number, not to a row: all rows lose the same units, so each number stands for one network,
and neither the order of rows nor their division into parts changes a prediction.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from corrigible.errors import UnsupportedModelError
from corrigible.models.draws import row_uniform

OF_UNITS: tuple[Callable[..., Any], ...] = (functional.dropout,)
OF_CHANNELS: tuple[Callable[..., Any], ...] = (functional.dropout1d, functional.dropout2d, functional.dropout3d)
REFUSED: tuple[Callable[..., Any], ...] = (functional.alpha_dropout, functional.feature_alpha_dropout)


class Dropping(TorchFunctionMode):
    """A mode in which every call of dropout drops, also in eval mode.

    Args:
        number: of the network that is left; ``seed`` and number settle what is dropped.
    """

    def __init__(self, number: int, seed: int) -> None:
        super().__init__()
        self.number, self.seed = number, seed
        self.num_calls = 0
        """How many calls have dropped something."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function in OF_UNITS:
            return self._dropped(*args, **kwargs)
        if function in OF_CHANNELS:
            return self._dropped(*args, of_channels=True, **kwargs)
        if function in REFUSED:
            raise UnsupportedModelError(
                f"the model calls {function.__name__}, which cannot stay on for samples; expected dropout"
            )
        return function(*args, **kwargs)

    def _dropped(
        self, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, of_channels: bool = False
    ) -> Tensor:
        if p == 0:
            return input
        shape = (input.shape[1], *[1] * (input.ndim - 2)) if of_channels else tuple(input.shape[1:])
        name, self.num_calls = f"dropout/{self.num_calls}", self.num_calls + 1
        with torch._C.DisableTorchFunction():
            index = torch.full((1,), self.number, device=input.device)
            is_kept = row_uniform(index, shape, seed=self.seed, name=name, dtype=torch.float32) >= p
            return input * is_kept.to(input.dtype).div(max(1 - p, 1e-12))


def require_dropout_that_can_stay_on(model: nn.Module) -> None:
    """Raises UnsupportedModelError for dropout inside attention or a recurrent layer, which PyTorch does not offer."""
    for name, module in model.named_modules():
        if isinstance(module, nn.MultiheadAttention | nn.RNNBase) and module.dropout > 0:
            raise UnsupportedModelError(
                f"layer {name!r} drops inside itself, which cannot stay on for samples; set its attribute dropout to 0"
            )
