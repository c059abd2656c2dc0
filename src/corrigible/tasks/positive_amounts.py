"""Positive amounts, such as costs or prices: Gamma or Tweedie, with a logarithmic link."""

import math
from functools import partial
from typing import Any

from torch import Tensor

from corrigible.errors import RecipeError
from corrigible.tasks._labels import amounts_per_row
from corrigible.tasks._log_means import task_of_log_means
from corrigible.types import Task


def positive_amounts(y: Any, *, exposure: Tensor | None = None, power: float = 2.0, unit: str = "") -> Task:
    """The task of predicting a positive amount, by the Gamma or a Tweedie distribution.

    The output is the logarithm of the mean, (batch,) or (batch, 1). The variance grows with the mean to the given
    power: 2 is Gamma; between 1 and 2 the amount may be 0, as the cost of insured rows without a claim is (Jørgensen
    1987). The expected amount is the mean times the row's exposure, ``extra["exposure"]``, if there is one.

    Args:
        y: numbers above 0 for power 2, of at least 0 otherwise, one per row.
        exposure: of these rows, (row,); the data set's own where it has one.
        power: of the variance, above 1 and at most 2.
        unit: of the amounts, for people to read.

    Raises:
        DataError: labels that are not such amounts.
        RecipeError: a power out of its range.
    """
    if not 1 < power <= 2:
        raise RecipeError(f"power is {power:g}; expected above 1 and at most 2: for counts use the task 'counts'")
    check = partial(amounts_per_row, task="positive_amounts", least=0.0, is_open=power == 2)
    labels = check(y)
    scale = float(labels.double().mean()) or 1.0
    return task_of_log_means(
        "positive_amounts",
        labels,
        exposure=exposure,
        loss=partial(_loss, power=power, scale=scale),
        deviance=lambda y, mean: tweedie_deviance(y / scale, mean / scale, power),
        check=check,
        metrics=(
            "mean_gamma_deviance" if power == 2 else "mean_tweedie_deviance",
            "mean_absolute_error",
            "gini",
            "spearman",
            "mean_shift",
            "attribution_overlap",
        ),
        unit=unit,
    )


def _loss(log_mean: Tensor, mean: Tensor, y: Tensor, *, power: float, scale: float) -> Tensor:
    """Minus the quasi-log-likelihood of amounts in units of their mean."""
    # From the logarithm, because a mean that is tiny would become 0, and its negative powers infinite.
    y, log_mean = y / scale, log_mean - math.log(scale)
    if power == 2:
        return y * (-log_mean).exp() + log_mean
    return ((2 - power) * log_mean).exp() / (2 - power) - y * ((1 - power) * log_mean).exp() / (1 - power)


def tweedie_deviance(y: Tensor, mean: Tensor, power: float) -> Tensor:
    """The unit deviance of the Tweedie distribution with this power, above 1 and at most 2, (row,)."""
    if power == 2:
        return 2 * (y / mean - 1 - (y / mean).log())
    of_y = y ** (2 - power) / ((1 - power) * (2 - power))
    return 2 * (of_y - y * mean ** (1 - power) / (1 - power) + mean ** (2 - power) / (2 - power))
