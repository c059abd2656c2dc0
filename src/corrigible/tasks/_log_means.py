"""What tasks share whose output is the logarithm of a mean: counts and positive amounts."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from corrigible.tasks._labels import clipped, first_output, numbers_per_row, strata_at, with_unit
from corrigible.types import Task

Deviance = Callable[[Tensor, Tensor], Tensor]
"""(y, mean) -> the deviance of each row."""


def exposure_of(y: Tensor, extra: Mapping[str, Tensor]) -> Tensor:
    """The exposure of each row; 1 if none is given."""
    exposure = extra.get("exposure")
    return torch.ones_like(y) if exposure is None else exposure.to(y)


def task_of_log_means(
    name: str,
    labels: Tensor,
    *,
    loss: Callable[[Tensor, Tensor, Tensor], Tensor],
    deviance: Deviance,
    check: Callable[[object], Tensor],
    metrics: tuple[str, ...],
    unit: str,
) -> Task:
    """A task whose single output is the logarithm of the mean per unit of exposure.

    Args:
        loss: (logarithm of the expected label, expected label, y) -> the loss of each row.
    """
    mean = max(float(labels.double().mean()), 1e-12)
    null = float(deviance(labels.double(), torch.tensor(mean)).mean()) or 1.0

    def losses(outputs: Tensor, y: Tensor, extra: Mapping[str, Tensor]) -> Tensor:
        log_mean = outputs[:, 0] + exposure_of(y, extra).log()
        return loss(log_mean, log_mean.exp(), y)

    return Task(
        name=name,
        outputs=numbers_per_row(1, name),
        num_outputs=1,
        logits=None,
        values=lambda outputs: outputs.exp(),
        observed=lambda outputs: {"predicted": outputs[:, 0].exp()},
        standard=lambda outputs: outputs,
        combined=lambda passes: passes.logsumexp(dim=0) - math.log(len(passes)),
        loss=losses,
        quality=lambda outputs, y, extra: 1 - deviance(y.double(), _expected(outputs, y, extra)) / null,
        moved=lambda outputs, others: _shift(outputs, others).abs(),
        drawn=lambda outputs, others, y, other_y: _shift(outputs, others) * (other_y - y).sign(),
        target=first_output,
        check=check,
        strata=strata_at(labels),
        score="target_output",
        start=((math.log(mean),), (1.0,)),
        metrics=metrics,
        quality_name="share of the deviance explained",
        moved_as="predictions by about {} %",
        written=with_unit(unit),
        extra=("exposure",),
    )


def _expected(outputs: Tensor, y: Tensor, extra: Mapping[str, Tensor]) -> Tensor:
    return outputs[:, 0].double().exp() * exposure_of(y, extra).double()


def _shift(outputs: Tensor, others: Tensor) -> Tensor:
    """The logarithm of the ratio of the means, clipped: about how much larger the first is, as a share."""
    return clipped(outputs[:, 0] - others[:, 0])
