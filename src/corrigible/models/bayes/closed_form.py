"""The mean prediction of a network of which only the last layer has a distribution, without samples.

Lu, Ie and Sha 2020, Mean-field approximation to Gaussian-softmax integral with application to uncertainty estimation.
A softmax is 1 / Σ exp(zᵢ - zₖ), and each difference of two normal logits is normal. So each is replaced by what gives
the expected sigmoid of that difference, by MacKay's 1992 approximation: (mₖ - mᵢ) / √(1 + π (vₖ + vᵢ) / 8).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import linear, log_softmax

from corrigible.models.bayes.layers import BayesianLinear, variances

NUMBERS_AT_ONCE = 2**22
"""Differences of two logits of a row that are in memory together."""


def last_layer_log_probs(
    layer: BayesianLinear, x: Float[Tensor, " batch inputs"], mean: Float[Tensor, " batch output"]
) -> Float[Tensor, " batch num_classes"]:
    """Logarithms of the expected probabilities, approximately, of the layer's inputs and its outputs at mean weights.

    A single output is the logit of class 1 of two.
    """
    variance = linear(x.square(), variances(layer))
    if mean.shape[1] == 1:
        mean, variance = (torch.cat([torch.zeros_like(of), of], dim=1) for of in (mean, variance))
    return mean_field_log_probs(mean, variance)


def mean_field_log_probs(
    mean: Float[Tensor, " batch num_classes"], variance: Float[Tensor, " batch num_classes"]
) -> Float[Tensor, " batch num_classes"]:
    """Logarithms of the expected softmax of independent normal logits, approximately; exactly where no logit varies.

    Numbers added to all means of a row change nothing.
    """
    size = max(NUMBERS_AT_ONCE // mean.shape[1] ** 2, 1)
    half = variance * (math.pi / 8) + 0.5
    if len(mean) <= size:
        return _of_pairs(mean, half)
    return torch.cat([_of_pairs(*some) for some in zip(mean.split(size), half.split(size), strict=True)])


def _of_pairs(mean: Tensor, half: Tensor) -> Tensor:
    """The sum of two halves is what a squared difference of logits is divided by."""
    scale = (half[:, :, None] + half[:, None]).rsqrt()
    others_minus_own = (mean[:, None] - mean[:, :, None]) * scale
    return log_softmax(-others_minus_own.logsumexp(dim=2), dim=1)
