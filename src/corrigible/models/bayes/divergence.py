"""The divergence of weights from their prior, with its gradient in closed form, which visits each weight once."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function

from corrigible.models.bayes.layers import BayesianLayer


def kl_of(layer: BayesianLayer) -> Float[Tensor, ""]:
    """The Kullback-Leibler divergence of the weights' distribution from the prior N(0, prior_std²), in nats.

    The sum over the weights of log(prior_std / σ) + (σ² + μ²) / (2 prior_std²) − ½.
    """
    found: Tensor = _Divergence.apply(layer.weight, layer.weight_log_std, layer.prior_std)
    return found


class _Divergence(Function):
    @staticmethod
    def forward(ctx: Any, mean: Tensor, log_std: Tensor, prior_std: float) -> Tensor:
        variance = (2 * log_std).exp_()
        ctx.save_for_backward(mean, log_std, variance)
        ctx.prior_std = prior_std
        size = (variance.sum() + mean.square().sum()) / (2 * prior_std**2)
        return size - log_std.sum() + mean.numel() * (math.log(prior_std) - 0.5)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        mean, log_std, variance = ctx.saved_tensors
        if torch.is_grad_enabled():
            variance = (2 * log_std).exp()  # The one that was kept has no graph.
        scale = gradient / ctx.prior_std**2
        return mean * scale, variance * scale - gradient, None
