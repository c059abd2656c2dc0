"""Layers with normally distributed weights, which draw activations instead of weights.

Kingma, Salimans and Welling 2015, Variational dropout and the local reparameterization trick, equation 6: if each
weight is independently normal with mean μ and variance σ², an activation of inputs Z is normal with mean Z·μ and
variance Z²·σ². In training each row draws its own activations, so gradients vary less than with one draw of the weights
for all rows. A row's activations at several places, of a convolution or a text, are drawn independently too, although
they share weights. In eval mode nothing is drawn, and the weights are their means. Biases have single values.
"""

from typing import TypeGuard

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import embedding, linear

from corrigible.models.bayes.noise import noise_of
from corrigible.models.draws import keep_moments, normal_like


class BayesianLinear(nn.Linear):
    """A linear layer; ``weight`` holds the means, ``weight_log_std`` the logarithms of the standard deviations."""

    weight_log_std: nn.Parameter
    prior_std: float
    draws_name: str

    def moments(self, x: Float[Tensor, " batch *some inputs"]) -> tuple[Tensor, Tensor]:
        """Mean and variance of each activation."""
        return super().forward(x), linear(x.square(), variances(self))

    def forward(self, x: Float[Tensor, " batch *some inputs"]) -> Tensor:
        return _drawn(self, x) if self.training else _mean(self, x, super().forward(x))


class BayesianConv1d(nn.Conv1d):
    """Like `BayesianLinear`, a convolution over a sequence."""

    weight_log_std: nn.Parameter
    prior_std: float
    draws_name: str

    def moments(self, x: Float[Tensor, " batch channel place"]) -> tuple[Tensor, Tensor]:
        """Mean and variance of each activation."""
        return super().forward(x), self._conv_forward(x.square(), variances(self), None)

    def forward(self, x: Float[Tensor, " batch channel place"]) -> Tensor:
        return _drawn(self, x) if self.training else _mean(self, x, super().forward(x))


class BayesianConv2d(nn.Conv2d):
    """Like `BayesianLinear`, a convolution over an image."""

    weight_log_std: nn.Parameter
    prior_std: float
    draws_name: str

    def moments(self, x: Float[Tensor, " batch channel height width"]) -> tuple[Tensor, Tensor]:
        """Mean and variance of each activation."""
        return super().forward(x), self._conv_forward(x.square(), variances(self), None)

    def forward(self, x: Float[Tensor, " batch channel height width"]) -> Tensor:
        return _drawn(self, x) if self.training else _mean(self, x, super().forward(x))


class BayesianEmbedding(nn.Embedding):
    """Like `BayesianLinear`, for an input that is 1 at one place of a vocabulary and 0 elsewhere."""

    weight_log_std: nn.Parameter
    prior_std: float
    draws_name: str

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of each activation."""
        return super().forward(x), embedding(x, variances(self))

    def forward(self, x: Tensor) -> Tensor:
        return _drawn(self, x) if self.training else _mean(self, x, super().forward(x))


BayesianLayer = BayesianLinear | BayesianConv1d | BayesianConv2d | BayesianEmbedding


def is_bayesian(module: nn.Module) -> TypeGuard[BayesianLayer]:
    """Whether the layer's weights have a distribution."""
    return isinstance(module, BayesianLayer)


def variances(layer: BayesianLayer) -> Tensor:
    """The variance of each weight."""
    return (2 * layer.weight_log_std).exp()


def moments_of_change(layer: BayesianLayer, change: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of what a change of the layer's inputs adds to its activations, for the same weights."""
    mean, variance = layer.moments(change)
    bias = getattr(layer, "bias", None)
    return (mean if bias is None else mean - bias.reshape(-1, *[1] * (layer.weight.ndim - 2))), variance


def _drawn(layer: BayesianLayer, x: Tensor) -> Tensor:
    mean, variance = layer.moments(x)
    keep_moments(layer, lambda: (mean, variance))
    # How activations are drawn is none of the model's functions, for which modes have rules.
    with torch._C.DisableTorchFunction():
        normal = normal_like(variance.detach(), name=f"activations/{layer.draws_name}", is_coarse=True)
        noise = noise_of(variance, normal)
    return noise.add_(mean)  # In its memory, because the mean is kept.


def _mean(layer: BayesianLayer, x: Tensor, mean: Tensor) -> Tensor:
    keep_moments(layer, lambda: layer.moments(x))
    return mean
