"""Counts, such as claims or visits: Poisson, with a logarithmic link and an exposure."""

from typing import Any

import torch
from torch import Tensor
from torch.special import xlogy

from corrigible.errors import DataError
from corrigible.tasks._labels import amounts_per_row
from corrigible.tasks._log_means import task_of_log_means
from corrigible.types import Task


def counts(y: Any, *, exposure: Tensor | None = None, unit: str = "") -> Task:
    """The task of predicting a count, by the Poisson distribution.

    The output is the logarithm of the rate, (batch,) or (batch, 1). The expected count is the rate times the row's
    exposure, ``extra["exposure"]``; without one, every exposure is 1.

    Args:
        y: whole numbers of at least 0, one per row.
        exposure: of these rows, (row,); the data set's own where it has one.
        unit: of the counts, for people to read.

    Raises:
        DataError: labels that are not counts.
    """
    return task_of_log_means(
        "counts",
        _counts(y),
        exposure=exposure,
        loss=_loss,
        deviance=poisson_deviance,
        check=_counts,
        metrics=("mean_poisson_deviance", "deviance_explained", "gini", "mean_shift", "attribution_overlap"),
        unit=unit,
    )


def _loss(log_mean: Tensor, mean: Tensor, y: Tensor) -> Tensor:
    return mean - y * log_mean + torch.lgamma(y + 1)


def poisson_deviance(y: Tensor, mean: Tensor) -> Tensor:
    """Twice the log-likelihood lost against a mean equal to the count, (row,)."""
    found: Tensor = 2 * (xlogy(y, y / mean) - y + mean)
    return found


def _counts(y: Any) -> Tensor:
    found = amounts_per_row(y, "counts", least=0.0)
    if bool((found != found.round()).any()):
        bad = float(found[found != found.round()][0])
        raise DataError(f"y holds {bad:g}; the task 'counts' expects whole numbers: give counts, and exposure beside")
    return found
