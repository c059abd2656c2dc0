"""Koenker and Bassett 1978, regression quantiles: how good predicted quantiles are."""

from jaxtyping import Float
from torch import Tensor

from corrigible.tasks.quantiles import pinball


def mean_pinball_loss(
    quantiles: Float[Tensor, " n level"], levels: Float[Tensor, " n level"], y: Float[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Mean pinball loss over rows and levels, in the unit of the labels; lower is better."""
    return pinball(quantiles.double(), y.double(), levels.double()).mean()


def quantile_calibration_error(
    quantiles: Float[Tensor, " n level"], levels: Float[Tensor, " n level"], y: Float[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Distance between the share of labels at or below a quantile and its level, averaged over the levels."""
    share = (y.double()[:, None] <= quantiles.double()).double().mean(dim=0)
    return (share - levels.double().mean(dim=0)).abs().mean()
