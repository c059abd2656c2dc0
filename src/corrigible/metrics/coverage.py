"""Khosravi, Nahavandi, Creighton and Atiya 2011, review of neural network-based prediction intervals: coverage."""

from jaxtyping import Float
from torch import Tensor

HALF_OF_95 = 1.959964
"""Half of the width of the normal distribution's central 95 %, in standard deviations."""


def interval_coverage(
    predicted: Float[Tensor, " n"], sd: Float[Tensor, " n"], y: Float[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Share of labels within 1.96 predicted standard deviations of the prediction; 0.95 if these are right."""
    return ((y.double() - predicted.double()).abs() <= HALF_OF_95 * sd.double()).double().mean()
