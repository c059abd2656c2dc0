"""Amounts: a mean in the unit of the labels, with one spread for all rows or one for each."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from corrigible.tasks._labels import amounts_per_row, clipped, numbers_per_row, spread_of, strata_at, with_unit
from corrigible.types import Task


def amounts(y: Any, *, heteroscedastic: bool = False, unit: str = "") -> Task:
    """The task of predicting an amount, by the normal distribution.

    Outputs are the mean in the unit of the labels, (batch,) or (batch, 1). The loss is half the squared error, in
    units of the labels' variance. With ``heteroscedastic`` a second output is the logarithm of each row's variance,
    relative to that of the labels (Nix and Weigend 1994).

    Args:
        y: finite numbers, one per row.
        heteroscedastic: whether the model also gives each row's variance.
        unit: of the labels, for people to read.

    Raises:
        DataError: labels that are not finite numbers.
    """
    labels = amounts_per_row(y, "amounts")
    scale, num_outputs = spread_of(labels), 2 if heteroscedastic else 1

    def standard(outputs: Tensor) -> Tensor:
        return torch.cat([outputs[:, :1] / scale, outputs[:, 1:]], dim=1)

    def loss(outputs: Tensor, y: Tensor, extra: Mapping[str, Tensor]) -> Tensor:
        squared = ((outputs[:, 0] - y) / scale).square()
        if not heteroscedastic:
            return squared / 2
        log_variance = outputs[:, 1]
        return (squared * (-log_variance).exp() + log_variance) / 2

    def combined(passes: Tensor) -> Tensor:
        mean = passes[:, :, :1].mean(dim=0)
        if not heteroscedastic:
            return mean
        between = (passes[:, :, :1] / scale).var(dim=0, correction=0)
        return torch.cat([mean, (passes[:, :, 1:].exp().mean(dim=0) + between).log()], dim=1)

    def observed(outputs: Tensor) -> dict[str, Tensor]:
        found = {"predicted": outputs[:, 0]}
        return found | ({"sd": scale * (outputs[:, 1] / 2).exp()} if heteroscedastic else {})

    def values(outputs: Tensor) -> Tensor:
        return torch.stack(list(observed(outputs).values()), dim=1)

    def shift(outputs: Tensor, others: Tensor) -> Tensor:
        return clipped((outputs[:, 0] - others[:, 0]) / scale)

    return Task(
        name="amounts",
        outputs=numbers_per_row(num_outputs, "amounts"),
        num_outputs=num_outputs,
        logits=None,
        values=values,
        observed=observed,
        standard=standard,
        combined=combined,
        loss=loss,
        quality=lambda outputs, y, extra: 1 - ((outputs[:, 0] - y) / scale).square().double(),
        moved=lambda outputs, others: shift(outputs, others).abs(),
        drawn=lambda outputs, others, y, other_y: shift(outputs, others) * (other_y - y).sign(),
        target=lambda outputs: outputs.new_zeros(len(outputs), dtype=torch.long),
        check=lambda y: amounts_per_row(y, "amounts"),
        strata=strata_at(labels),
        score="target_output",
        start=((float(labels.double().mean()), 0.0)[:num_outputs], (scale, 1.0)[:num_outputs]),
        metrics=(
            "mean_absolute_error",
            "root_mean_squared_error",
            "r2",
            "spearman",
            *(("interval_coverage",) if heteroscedastic else ()),
            "mean_shift",
            "attribution_overlap",
        ),
        quality_name="share of the variance explained",
        moved_as="predictions by {} % of the labels' standard deviation",
        written=with_unit(unit),
    )
