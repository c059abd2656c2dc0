"""Normal noise on activations, as one operation: it keeps and writes less memory than one after the other."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import threshold

SMALLEST_VARIANCE = 1e-24
"""A smaller variance counts as 0, because the square root has no slope there."""


def noise_of(variance: Float[Tensor, " *shape"], normal: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
    """√variance · normal, which can be differentiated twice; ``normal`` is overwritten.

    Where the variance is 0 there is no noise, and the variance has no slope.
    """
    found: Tensor = _Noise.apply(variance, normal)
    return found


class _Noise(Function):
    @staticmethod
    def forward(ctx: Any, variance: Tensor, normal: Tensor) -> Tensor:
        # Where the variance is too small, it is replaced by infinity, whose inverse root is 0.
        memory = threshold(variance, SMALLEST_VARIANCE, math.inf).rsqrt_()
        over_std = normal.mul_(memory)
        ctx.save_for_backward(variance, over_std)
        return torch.mul(variance, over_std, out=memory)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if not ctx.needs_input_grad[0]:
            return None, None
        variance, over_std = ctx.saved_tensors
        if torch.is_grad_enabled():
            # It depends on the variance, but was computed where no graph is kept.
            variance = variance.clamp_min(SMALLEST_VARIANCE)
            over_std = over_std * (variance.detach() / variance).sqrt()
        return (gradient * over_std).mul_(0.5), None
