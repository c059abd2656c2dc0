"""Quantiles of an amount, which never cross."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.errors import RecipeError
from corrigible.tasks._labels import (
    amounts_per_row,
    clipped,
    numbers_per_row,
    quantiles_of,
    spread_of,
    strata_at,
    with_unit,
)
from corrigible.types import Task

LEAST_SCALE = 1e-3
"""The least unit of an output, in standard deviations of the labels."""


def quantiles(y: Any, *, levels: Sequence[float] = (0.1, 0.5, 0.9), unit: str = "") -> Task:
    """The task of predicting quantiles of an amount.

    Outputs are one number per level, (batch, level), in the unit of the labels. They are read in ascending order, so
    quantiles never cross (rearrangement, Chernozhukov, Fernández-Val and Galichon 2010). The loss is the pinball loss
    averaged over the levels (Koenker and Bassett 1978), in units of the labels' standard deviation.

    Outputs begin at the labels' quantiles, each in a unit of its own: the standard deviation of normal labels whose
    quantile would have the same pinball loss. Of skewed labels, such as spending, a low quantile moves in far smaller
    steps than a high one.

    Args:
        y: finite numbers, one per row.
        levels: probabilities in ascending order, between 0 and 1.
        unit: of the labels, for people to read.

    Raises:
        DataError: labels that are not finite numbers.
        RecipeError: levels that are not ascending probabilities.
    """
    labels = amounts_per_row(y, "quantiles")
    level = torch.tensor(list(levels), dtype=torch.float64)
    if not len(level) or not bool((level.diff() > 0).all()) or not 0 < float(level[0]) <= float(level[-1]) < 1:
        raise RecipeError(f"levels are {list(levels)}; expected ascending numbers between 0 and 1, such as 0.1, 0.9")
    constant = quantiles_of(labels, levels)
    losses = pinball(constant.expand(len(labels), -1), labels.cpu().double(), level).mean(dim=0)
    null = 1.0 if bool((labels == labels[0]).all()) else float(losses.mean())
    at = _AtLevels(level, spread_of(labels), null)
    scales = (losses / of_standard_normal(level)).clamp_min(LEAST_SCALE * at.scale)
    return Task(
        name="quantiles",
        outputs=numbers_per_row(len(level), "quantiles"),
        num_outputs=len(level),
        logits=None,
        values=ascending,
        observed=at.observed,
        standard=lambda outputs: outputs / at.scale,
        combined=lambda passes: passes.sort(dim=2).values.mean(dim=0),
        loss=at.loss,
        quality=at.quality,
        moved=lambda outputs, others: at.shift(outputs, others).abs().mean(dim=1),
        drawn=lambda outputs, others, y, other_y: at.shift(outputs, others).mean(dim=1) * (other_y - y).sign(),
        target=lambda outputs: torch.full((len(outputs),), at.middle, device=outputs.device),
        check=lambda y: amounts_per_row(y, "quantiles"),
        strata=strata_at(labels),
        score="target_value",
        start=(tuple(constant.tolist()), tuple(scales.tolist())),
        metrics=(
            *("mean_pinball_loss", "quantile_calibration_error", "mean_absolute_error", "spearman"),
            *("mean_shift", "attribution_overlap"),
        ),
        quality_name="share of the pinball loss explained",
        moved_as="predictions by {} % of the labels' standard deviation",
        chance=0.0,
        written=with_unit(unit),
        is_likelihood=False,
    )


def of_standard_normal(level: Float[Tensor, " level"]) -> Float[Tensor, " level"]:
    """The mean pinball loss of a standard normal variable's own quantile: its density there."""
    normal = torch.distributions.Normal(0.0, 1.0)
    found: Tensor = normal.log_prob(normal.icdf(level)).exp()
    return found


def ascending(outputs: Float[Tensor, " batch level"]) -> Float[Tensor, " batch level"]:
    """The outputs of each row in ascending order."""
    return outputs.sort(dim=1).values


@dataclass(frozen=True)
class _AtLevels:
    """The functions of outputs that are one quantile per level."""

    level: Float[Tensor, " level"]
    scale: float
    """The standard deviation of the labels."""
    null: float
    """The mean pinball loss of the labels' own quantiles."""

    @property
    def middle(self) -> int:
        return int((self.level - 0.5).abs().argmin())

    def observed(self, outputs: Float[Tensor, " batch level"]) -> dict[str, Tensor]:
        found = ascending(outputs)
        levels = self.level.to(outputs).expand_as(found).contiguous()
        return {"predicted": found[:, self.middle], "quantiles": found, "levels": levels}

    def loss(self, outputs: Tensor, y: Tensor, extra: Mapping[str, Tensor]) -> Float[Tensor, " batch"]:
        return pinball(ascending(outputs), y, self.level.to(outputs)).mean(dim=1) / self.scale

    def quality(self, outputs: Tensor, y: Tensor, extra: Mapping[str, Tensor]) -> Float[Tensor, " batch"]:
        return 1 - self.loss(outputs.double(), y.double(), extra) * self.scale / self.null

    def shift(self, outputs: Tensor, others: Tensor) -> Float[Tensor, " batch level"]:
        return clipped((ascending(outputs) - ascending(others)) / self.scale)


def pinball(
    predicted: Float[Tensor, " row level"], y: Float[Tensor, " row"], levels: Float[Tensor, " *row level"]
) -> Float[Tensor, " row level"]:
    """The pinball loss of each quantile: the error times the level, or times the level minus 1 if it is negative."""
    error = y[:, None] - predicted
    return torch.maximum(levels * error, (levels - 1) * error)
