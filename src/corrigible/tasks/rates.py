"""Labels per unit of exposure."""

from jaxtyping import Float
from torch import Tensor

ROUNDING = 1e-6
"""Largest difference of two equal rates, as a share of the larger, that rounding in float32 can make."""


def all_equal(rates: Float[Tensor, " row"]) -> bool:
    """Whether the rates, which are at least 0, are equal but for rounding; also if there are none."""
    return not len(rates) or float(rates.max() - rates.min()) <= ROUNDING * float(rates.max())
