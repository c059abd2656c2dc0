"""How far predicted amounts lie from the labels.

The prediction of a label is the predicted mean per unit of exposure times the row's exposure, which is 1 where there is
none.
"""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor


def mean_absolute_error(
    predicted: Shaped[Tensor, " n"], y: Shaped[Tensor, " n"], exposure: Float[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Mean distance between prediction and label, in the unit of the labels."""
    return _errors(predicted, y, exposure).abs().mean()


def root_mean_squared_error(
    predicted: Shaped[Tensor, " n"], y: Shaped[Tensor, " n"], exposure: Float[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Square root of the mean squared distance between prediction and label, in the unit of the labels."""
    return _errors(predicted, y, exposure).square().mean().sqrt()


def r2(predicted: Shaped[Tensor, " n"], y: Shaped[Tensor, " n"], exposure: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Share of the labels' variance that the predictions explain: 1 is perfect, 0 no better than the mean label.

    Negative if worse than that; NaN if all labels are equal.
    """
    if not bool((y != y[:1]).any()):
        return torch.tensor(torch.nan, dtype=torch.float64)
    labels = y.double()
    unexplained = _errors(predicted, y, exposure).square().sum()
    share: Tensor = 1 - unexplained / (labels - labels.mean()).square().sum()
    return share


def _errors(predicted: Tensor, y: Tensor, exposure: Tensor) -> Tensor:
    return predicted.double() * exposure.double() - y.double()
