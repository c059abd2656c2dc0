"""Amounts: a mean in the unit of the labels, with one spread for all rows or one for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.tasks._labels import (
    amounts_per_row,
    clipped,
    first_output,
    numbers_per_row,
    spread_of,
    strata_at,
    with_unit,
)
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
    normal = _Normal(spread_of(labels), heteroscedastic)
    num_outputs = 2 if heteroscedastic else 1
    return Task(
        name="amounts",
        outputs=numbers_per_row(num_outputs, "amounts"),
        num_outputs=num_outputs,
        logits=None,
        values=lambda outputs: torch.stack(list(normal.observed(outputs).values()), dim=1),
        observed=normal.observed,
        standard=normal.standard,
        combined=normal.combined,
        loss=normal.loss,
        quality=normal.quality,
        moved=lambda outputs, others: normal.shift(outputs, others).abs(),
        drawn=lambda outputs, others, y, other_y: normal.shift(outputs, others) * (other_y - y).sign(),
        target=first_output,
        check=lambda y: amounts_per_row(y, "amounts"),
        strata=strata_at(labels),
        score="target_output",
        start=((float(labels.double().mean()), 0.0)[:num_outputs], (normal.scale, 1.0)[:num_outputs]),
        metrics=(
            *("mean_absolute_error", "root_mean_squared_error", "r2", "spearman"),
            *(("interval_coverage",) if heteroscedastic else ()),
            *("mean_shift", "attribution_overlap"),
        ),
        quality_name="share of the variance explained",
        moved_as="predictions by {} % of the labels' standard deviation",
        chance=0.0,
        written=with_unit(unit),
    )


@dataclass(frozen=True)
class _Normal:
    """The functions of outputs that are a mean and, if ``heteroscedastic``, a log-variance relative to the labels'."""

    scale: float
    """The standard deviation of the labels."""
    heteroscedastic: bool

    def observed(self, outputs: Float[Tensor, " batch output"]) -> dict[str, Tensor]:
        found = {"predicted": outputs[:, 0]}
        return found | ({"sd": self.scale * (outputs[:, 1] / 2).exp()} if self.heteroscedastic else {})

    def standard(self, outputs: Float[Tensor, " batch output"]) -> Float[Tensor, " batch output"]:
        return torch.cat([outputs[:, :1] / self.scale, outputs[:, 1:]], dim=1)

    def combined(self, passes: Float[Tensor, " pass batch output"]) -> Float[Tensor, " batch output"]:
        mean = passes[:, :, :1].mean(dim=0)
        if not self.heteroscedastic:
            return mean
        between = (passes[:, :, :1] / self.scale).var(dim=0, correction=0)
        return torch.cat([mean, (passes[:, :, 1:].exp().mean(dim=0) + between).log()], dim=1)

    def loss(self, outputs: Tensor, y: Tensor, extra: Mapping[str, Tensor]) -> Float[Tensor, " batch"]:
        squared = ((outputs[:, 0] - y) / self.scale).square()
        if not self.heteroscedastic:
            return squared / 2
        log_variance = outputs[:, 1]
        return (squared * (-log_variance).exp() + log_variance) / 2

    def quality(self, outputs: Tensor, y: Tensor, extra: Mapping[str, Tensor]) -> Float[Tensor, " batch"]:
        return 1 - ((outputs[:, 0] - y) / self.scale).square().double()

    def shift(self, outputs: Tensor, others: Tensor) -> Float[Tensor, " batch"]:
        return clipped((outputs[:, 0] - others[:, 0]) / self.scale)
