"""Jørgensen 1987, exponential dispersion models: deviances of counts, costs and other positive amounts.

The label per unit of exposure is compared with the predicted mean per unit of exposure, and each row counts as much as
its exposure, which is 1 where there is none: scikit-learn's ``sample_weight=exposure`` on rates. All are NaN where a
prediction is not above 0, or a label is one that the distribution does not have.
"""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.tasks.counts import poisson_deviance
from corrigible.tasks.positive_amounts import tweedie_deviance
from corrigible.tasks.rates import all_equal


def mean_poisson_deviance(
    predicted: Float[Tensor, " n"], y: Float[Tensor, " n"], exposure: Float[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Mean Poisson deviance per unit of exposure; 0 is perfect, lower is better."""
    return _mean_deviance(poisson_deviance, predicted, y, exposure)


def mean_gamma_deviance(
    predicted: Float[Tensor, " n"], y: Float[Tensor, " n"], exposure: Float[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Mean Gamma deviance, weighted by exposure: about the squared relative error; NaN if a label is 0."""
    if not bool((y > 0).all()):
        return _undefined()
    return _mean_deviance(partial(tweedie_deviance, power=2.0), predicted, y, exposure)


def mean_tweedie_deviance(
    predicted: Float[Tensor, " n"], y: Float[Tensor, " n"], exposure: Float[Tensor, " n"], *, power: float = 1.5
) -> Float[Tensor, ""]:
    """Mean Tweedie deviance, weighted by exposure, for amounts that may be 0; lower is better.

    The variance grows with the mean to the given power, between 1 and 2, whatever power the model was trained with.
    """
    return _mean_deviance(partial(tweedie_deviance, power=power), predicted, y, exposure)


def deviance_explained(
    predicted: Float[Tensor, " n"], y: Float[Tensor, " n"], exposure: Float[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Share of the Poisson deviance that the predictions explain: 1 is perfect, 0 no better than the mean rate.

    Negative if worse than that; NaN if all rates are equal but for rounding (D², Hastie, Tibshirani and Wainwright
    2015).
    """
    rate = y.double() / exposure.double()
    mean = y.double().sum() / exposure.double().sum()
    if all_equal(rate):
        return _undefined()
    null = _mean_deviance(poisson_deviance, mean.expand(len(y)), y, exposure)
    return 1 - _mean_deviance(poisson_deviance, predicted, y, exposure) / null


def _mean_deviance(
    deviance: Callable[[Tensor, Tensor], Tensor], predicted: Tensor, y: Tensor, exposure: Tensor
) -> Tensor:
    """The mean over rows of the deviance of rates, weighted by exposure."""
    if not bool((predicted > 0).all()) or not bool((y >= 0).all()):
        return _undefined()
    weight = exposure.double()
    found: Tensor = (weight * deviance(y.double() / weight, predicted.double())).sum() / weight.sum()
    return found


def _undefined() -> Tensor:
    return torch.tensor(torch.nan, dtype=torch.float64)
