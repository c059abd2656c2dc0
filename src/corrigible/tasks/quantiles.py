"""Quantiles of an amount, which never cross."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.errors import RecipeError
from corrigible.tasks._labels import amounts_per_row, clipped, numbers_per_row, spread_of, strata_at, with_unit
from corrigible.types import Task


def quantiles(y: Any, *, levels: Sequence[float] = (0.1, 0.5, 0.9), unit: str = "") -> Task:
    """The task of predicting quantiles of an amount.

    Outputs are one number per level, (batch, level), in the unit of the labels. They are read in ascending order, so
    quantiles never cross (rearrangement, Chernozhukov, Fernández-Val and Galichon 2010). The loss is the pinball loss
    averaged over the levels (Koenker and Bassett 1978), in units of the labels' standard deviation.

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
        raise RecipeError(
            f"levels are {list(levels)}; expected ascending numbers between 0 and 1, such as 0.1, 0.5, 0.9"
        )
    scale, middle = spread_of(labels), int((level - 0.5).abs().argmin())
    constant = torch.quantile(labels.double(), level)
    null = float(pinball(constant.expand(len(labels), -1), labels.double(), level).mean()) or 1.0

    def values(outputs: Tensor) -> Tensor:
        return outputs.sort(dim=1).values

    def loss(outputs: Tensor, y: Tensor, extra: Mapping[str, Tensor]) -> Tensor:
        return pinball(values(outputs), y, level.to(outputs)).mean(dim=1) / scale

    def observed(outputs: Tensor) -> dict[str, Tensor]:
        found = values(outputs)
        levels = level.to(outputs).expand_as(found).contiguous()
        return {"predicted": found[:, middle], "quantiles": found, "levels": levels}

    def shift(outputs: Tensor, others: Tensor) -> Tensor:
        return clipped((values(outputs) - values(others)) / scale)

    return Task(
        name="quantiles",
        outputs=numbers_per_row(len(level), "quantiles"),
        num_outputs=len(level),
        logits=None,
        values=values,
        observed=observed,
        standard=lambda outputs: outputs / scale,
        combined=lambda passes: passes.sort(dim=2).values.mean(dim=0),
        loss=loss,
        quality=lambda outputs, y, extra: 1 - loss(outputs.double(), y.double(), extra) * scale / null,
        moved=lambda outputs, others: shift(outputs, others).abs().mean(dim=1),
        drawn=lambda outputs, others, y, other_y: shift(outputs, others).mean(dim=1) * (other_y - y).sign(),
        target=lambda outputs: torch.full((len(outputs),), middle, device=outputs.device),
        check=lambda y: amounts_per_row(y, "quantiles"),
        strata=strata_at(labels),
        score="target_value",
        start=(tuple(constant.tolist()), (scale,) * len(level)),
        metrics=(
            "mean_pinball_loss",
            "quantile_calibration_error",
            "mean_absolute_error",
            "spearman",
            "mean_shift",
            "attribution_overlap",
        ),
        quality_name="share of the pinball loss explained",
        moved_as="predictions by {} % of the labels' standard deviation",
        written=with_unit(unit),
    )


def pinball(
    predicted: Float[Tensor, " row level"], y: Float[Tensor, " row"], levels: Float[Tensor, " level"]
) -> Float[Tensor, " row level"]:
    """The pinball loss of each quantile: the error times the level, or times the level minus 1 if it is negative."""
    error = y[:, None] - predicted
    return torch.maximum(levels * error, (levels - 1) * error)
