"""What tasks share whose output is the logarithm of a mean: counts and positive amounts."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from corrigible.tasks._labels import first_output, numbers_per_row, strata_at, with_unit
from corrigible.tasks.rates import all_equal
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
    exposure: Tensor | None,
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
    mean, null = _best_constant(labels.double(), exposure, deviance)
    return Task(
        name=name,
        outputs=numbers_per_row(1, name),
        num_outputs=1,
        logits=None,
        values=lambda outputs: outputs.exp(),
        observed=lambda outputs: {"predicted": outputs[:, 0].exp()},
        standard=lambda outputs: outputs,
        combined=lambda passes: passes.logsumexp(dim=0) - math.log(len(passes)),
        loss=lambda outputs, y, extra: loss(*_log_and_mean(outputs, y, extra), y),
        quality=lambda outputs, y, extra: 1 - deviance(y.double(), _log_and_mean(outputs.double(), y, extra)[1]) / null,
        moved=lambda outputs, others: _shift(outputs, others).abs(),
        drawn=lambda outputs, others, y, other_y: _shift(outputs, others) * (other_y - y).sign(),
        target=first_output,
        check=check,
        strata=strata_at(labels),
        score="target_output",
        start=((math.log(mean),), (1.0,)),
        metrics=metrics,
        quality_name="share of the deviance explained",
        moved_as="predictions by {} %",
        chance=0.0,
        written=with_unit(unit),
        reads="logarithms",
        extra=("exposure",),
    )


def _best_constant(y: Tensor, exposure: Tensor | None, deviance: Deviance) -> tuple[float, float]:
    """The mean per unit of exposure, 1 if every label is 0, and its mean deviance, 1 if all rates are equal."""
    exposures = exposure_of(y, {} if exposure is None else {"exposure": exposure})
    mean = float(y.sum() / exposures.sum()) or 1.0
    return mean, 1.0 if all_equal(y / exposures) else float(deviance(y, mean * exposures).mean())


def _log_and_mean(outputs: Tensor, y: Tensor, extra: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """The logarithm of the expected label, and the expected label."""
    log_mean = outputs[:, 0] + exposure_of(y, extra).to(outputs).log()
    return log_mean, log_mean.exp()


def _shift(outputs: Tensor, others: Tensor) -> Tensor:
    """The difference of the means as a share of the larger one."""
    log_ratio = outputs[:, 0] - others[:, 0]
    return log_ratio.sign() * -torch.expm1(-log_ratio.abs())
