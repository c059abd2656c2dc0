"""How far means of rows differ between the groups of a sensitive attribute, or along one that is a number.

What fairness penalties and the measures that judge them share. A mean of few rows is uncertain, so a penalty takes each
group's mean shrunk towards that of all rows: n rows count as n / (n + k), the estimate of the mean of a group among
groups whose means vary as much as the mean of k rows does (Bühlmann 1967, Experience rating and credibility).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from corrigible.errors import UnsupportedModelError
from corrigible.types import Task

OF_PRICES = ("amounts", "counts", "positive_amounts")
"""Tasks whose prediction of a row is one number."""


SHARPNESS = 4.0
"""Of soft decisions: a probability of .6 counts as .83, and one of .7 as .97. Where a penalty makes many rows
uncertain, steeper decisions jump together, so that gaps between are hard to reach."""
SHRINKAGE = 10.0
"""The number of rows at which a group's own mean counts half."""


@dataclass(frozen=True)
class GroupSettings:
    """What is compared, and how."""

    sensitive: str | None = None
    """The attribute, a tensor in ``extra``; None for the rows' group."""
    sharpness: float | None = SHARPNESS
    """Of soft decisions; None for the decisions themselves."""
    shrinkage: float = SHRINKAGE
    bound: float | None = None
    """Of a group's mean loss; None for that of all rows."""
    least_rows: int = 1
    """Groups of fewer rows are left out."""

    @property
    def counted(self) -> dict[str, Any]:
        """How groups of few rows count, as `deviations` takes it."""
        return {"shrinkage": self.shrinkage, "least_rows": self.least_rows}


@dataclass(frozen=True)
class Gap:
    """A kind of gap between groups, as one number."""

    parts: Callable[[Task, Tensor, "RowsOfGroups", GroupSettings], list[Tensor]]
    """How far each group is from all rows, (group, number), in one or several parts."""
    is_spread: bool
    """Whether it is the largest less the smallest of a part, else the largest absolute one."""

    def of(self, task: Task, outputs: Float[Tensor, "row output"], rows: "RowsOfGroups", how: GroupSettings) -> float:
        """The largest over the parts; NaN where fewer than two groups are left.

        Of an attribute that is a number, it is what predictions change by with its standard deviation.
        """
        found = [part for part in self.parts(task, outputs, rows, how) if part.numel()]
        if self.is_spread and not sensitive_values(rows, how.sensitive).is_floating_point():
            sizes = [(part.amax(dim=0) - part.amin(dim=0)).max() for part in found if len(part) > 1]
        else:
            sizes = [part.abs().max() for part in found]
        return float(torch.stack(sizes).max()) if sizes else float("nan")


@runtime_checkable
class RowsOfGroups(Protocol):
    """A batch or a data set, as far as gaps between groups depend on it."""

    @property
    def y(self) -> Tensor: ...
    @property
    def group(self) -> Tensor | None: ...
    @property
    def weight(self) -> Tensor | None: ...
    @property
    def extra(self) -> Mapping[str, Tensor]: ...


def sensitive_values(rows: RowsOfGroups, name: str | None) -> Shaped[Tensor, " row"]:
    """The sensitive attribute of each row: whole numbers are groups, floats are amounts, such as an age.

    Args:
        name: of a tensor in ``extra``; None for the rows' group.

    Raises:
        UnsupportedModelError: the rows have no such attribute.
    """
    found = rows.group if name is None else rows.extra.get(name)
    if found is None:
        known = ", ".join(map(repr, rows.extra)) or "none"
        what = "no group" if name is None else f"no attribute {name!r} beside them (there are: {known})"
        raise UnsupportedModelError(
            f"the rows have {what}; give sensitive_features to fit, or name the columns with group = … in [data]"
        )
    return found


def row_weights(task: Task, rows: RowsOfGroups, like: Tensor) -> Float[Tensor, " row"]:
    """How much each row counts: its sample weight, for amounts times its exposure."""
    weight = torch.ones(len(rows.y)) if rows.weight is None else rows.weight
    if task.name in OF_PRICES and "exposure" in rows.extra:
        weight = weight.to(like) * rows.extra["exposure"].to(like)
    return weight.to(like)


def predictions(
    task: Task, outputs: Float[Tensor, "row output"], sharpness: float | None
) -> Float[Tensor, "row number"]:
    """What groups are compared by: the decision for each class, of two for class 1; for amounts the prediction.

    Args:
        sharpness: of soft decisions, the softmax of so many times the logits; None for the decisions themselves.

    Raises:
        UnsupportedModelError: a task of other labels.
    """
    if task.name in OF_PRICES:
        return task.values(outputs)[:, :1]
    if task.name != "classes":
        expected = ", ".join(("classes", *OF_PRICES))
        raise UnsupportedModelError(f"groups are not compared for the task {task.name!r}; expected one of {expected}")
    assert task.logits is not None
    logits = task.logits(outputs)
    if sharpness is None:
        found = torch.nn.functional.one_hot(logits.argmax(dim=1), logits.shape[1]).to(logits)
    else:
        found = (sharpness * logits).softmax(dim=1)
    return found[:, 1:] if found.shape[1] == 2 else found


def deviations(
    numbers: Float[Tensor, "row number"],
    sensitive: Shaped[Tensor, " row"],
    weight: Float[Tensor, " row"],
    *,
    shrinkage: float = 0.0,
    least_rows: int = 1,
) -> Float[Tensor, "part number"]:
    """How far the mean of each group is from that of all rows, one line for each group among the rows.

    Of an attribute that is a number there is one line: the covariance of the numbers with the standardised attribute,
    which is by how much they rise as the attribute rises by its standard deviation.

    Args:
        shrinkage: the number of rows at which a group's deviation counts half.
        least_rows: groups of fewer rows have no line, but count among all rows.
    """
    return _contrasts(sensitive, weight, shrinkage, least_rows) @ numbers


@torch.no_grad()
def _contrasts(
    sensitive: Shaped[Tensor, " row"], weight: Float[Tensor, " row"], shrinkage: float, least_rows: int
) -> Float[Tensor, "part row"]:
    """What each row counts in each line of `deviations`; these are linear in the numbers, so a step costs little."""
    tiny = torch.finfo(weight.dtype).tiny
    share = weight / weight.sum().clamp_min(tiny)
    if sensitive.is_floating_point():
        amount = sensitive.to(weight)
        amount = amount - (share * amount).sum()
        spread = (share * amount.square()).sum().sqrt().clamp_min(tiny)
        return (share * amount / spread)[None]
    values, place = sensitive.unique(return_inverse=True)
    found = weight.new_zeros(len(values), len(weight)).scatter_(0, place[None], weight[None])
    total = found.sum(dim=1).clamp_min(tiny)
    num_rows = total.square() / (found @ weight).clamp_min(tiny)
    counted = num_rows / (num_rows + shrinkage)
    found.mul_((counted / total)[:, None]).sub_(counted[:, None] * share)
    return found if least_rows <= 1 else found[place.bincount(minlength=len(values)) >= least_rows]


def mean_square(parts: list[Float[Tensor, "part number"]]) -> Float[Tensor, ""]:
    """The mean of the parts' mean squares; a part of no rows is 0."""
    means = [part.square().sum() / max(part.numel(), 1) for part in parts]
    return means[0] if len(means) == 1 else torch.stack(means).mean()


def parity_gaps(
    task: Task, outputs: Float[Tensor, "row output"], rows: RowsOfGroups, how: GroupSettings
) -> list[Float[Tensor, "part number"]]:
    """How far each group's mean prediction is from that of all rows; for amounts relative to it."""
    return [_gaps_of_means(task, predictions(task, outputs, how.sharpness), rows, how, None)]


def opportunity_gaps(
    task: Task, outputs: Float[Tensor, "row output"], rows: RowsOfGroups, how: GroupSettings
) -> list[Float[Tensor, "part number"]]:
    """How far each group's true positive rate is from that of all rows: of class 1, or one part for each class.

    Raises:
        UnsupportedModelError: the labels are not classes.
    """
    if task.name != "classes":
        raise UnsupportedModelError(
            f"equal opportunity is about classes, and the task is {task.name!r}; name equalized_odds"
        )
    numbers = predictions(task, outputs, how.sharpness)
    positive = range(1, 2) if numbers.shape[1] == 1 else range(numbers.shape[1])
    return [
        _gaps_of_means(task, numbers[:, [place]], rows, how, rows.y == label) for place, label in enumerate(positive)
    ]


def odds_gaps(
    task: Task, outputs: Float[Tensor, "row output"], rows: RowsOfGroups, how: GroupSettings
) -> list[Float[Tensor, "part number"]]:
    """How far each group's mean prediction is from that of all rows of the same label, one part for each label.

    For amounts the labels are divided into quarters.
    """
    numbers, strata = predictions(task, outputs, how.sharpness), task.strata(rows.y).to(outputs.device)
    return [_gaps_of_means(task, numbers, rows, how, strata == stratum) for stratum in strata.unique()]


def _gaps_of_means(
    task: Task, numbers: Float[Tensor, "row number"], rows: RowsOfGroups, how: GroupSettings, at: Tensor | None
) -> Float[Tensor, "part number"]:
    weight, sensitive = row_weights(task, rows, numbers), sensitive_values(rows, how.sensitive)
    if at is not None:
        numbers, weight, sensitive = numbers[at], weight[at], sensitive[at]
    found = deviations(numbers, sensitive, weight, **how.counted)
    if task.name not in OF_PRICES or not len(weight):
        return found
    return found / _away_from_zero((weight[:, None] * numbers).sum() / weight.sum())


def calibration_gaps(
    task: Task, outputs: Float[Tensor, "row output"], rows: RowsOfGroups, how: GroupSettings
) -> list[Float[Tensor, "part number"]]:
    """What each group's mean prediction is above its mean label; for amounts relative to the mean label of all rows.

    Of an attribute that is a number: the difference of all rows, and what it changes by with its standard deviation.
    """
    residuals, scale = _residuals(task, outputs, rows)
    weight, sensitive = row_weights(task, rows, residuals), sensitive_values(rows, how.sensitive)
    overall = (weight[:, None] * residuals).sum(dim=0, keepdim=True) / weight.sum()
    found = deviations(residuals, sensitive, weight, **how.counted)
    parts = torch.cat([found, overall]) if sensitive.is_floating_point() else found + overall
    return [parts / scale]


def _residuals(task: Task, outputs: Tensor, rows: RowsOfGroups) -> tuple[Float[Tensor, "row number"], Tensor]:
    """Prediction less label of each row, for amounts per unit of exposure, and the unit of their means."""
    if task.name == "classes":
        assert task.logits is not None
        probs = task.logits(outputs).softmax(dim=1)
        residuals = probs - torch.nn.functional.one_hot(rows.y, probs.shape[1]).to(probs)
        return (residuals[:, 1:] if probs.shape[1] == 2 else residuals), probs.new_ones(())
    predicted, y = predictions(task, outputs, None), rows.y.to(outputs)[:, None]
    weight = row_weights(task, rows, predicted)
    y = y / rows.extra["exposure"].to(predicted)[:, None] if "exposure" in rows.extra else y
    return predicted - y, _away_from_zero((weight[:, None] * y).sum() / weight.sum())


def loss_gaps(
    task: Task, outputs: Float[Tensor, "row output"], rows: RowsOfGroups, how: GroupSettings
) -> list[Float[Tensor, "part number"]]:
    """The excess of each group's mean loss over the bound, or over the mean loss of all rows; 0 for groups below.

    Raises:
        UnsupportedModelError: the attribute is a number.
    """
    losses = task.loss(outputs, rows.y, rows.extra)[:, None]
    weight = torch.ones(len(losses)) if rows.weight is None else rows.weight
    weight, sensitive = weight.to(losses), sensitive_values(rows, how.sensitive)
    if sensitive.is_floating_point():
        raise UnsupportedModelError(
            f"bounded group loss compares groups, and {how.sensitive!r} is a number; give it in bands, as text"
        )
    overall = (weight[:, None] * losses).sum() / weight.sum()
    means = deviations(losses, sensitive, weight, **how.counted) + overall
    return [(means - (overall if how.bound is None else how.bound)).clamp_min(0.0)]


def _away_from_zero(mean: Tensor) -> Tensor:
    return mean.abs().clamp_min(torch.finfo(mean.dtype).tiny ** 0.5)


PARITY, OPPORTUNITY, ODDS = (Gap(parts, is_spread=True) for parts in (parity_gaps, opportunity_gaps, odds_gaps))
CALIBRATION, LOSS = (Gap(parts, is_spread=False) for parts in (calibration_gaps, loss_gaps))
