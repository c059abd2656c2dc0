"""What a model gets wrong for whom: quality by group, and every gap between groups, with what chance alone brings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corrigible.auditing.columns import Column, Numbers
from corrigible.auditing.cut_in_groups import groups_of
from corrigible.auditing.losses import losses_of_amounts, losses_of_classes
from corrigible.evaluation import measure
from corrigible.intervals import bootstrapped_mean, percentile_interval, resamples
from corrigible.metrics import gaps_of
from corrigible.observations import Observations
from corrigible.printable import plural
from corrigible.tasks import TaskChoice
from corrigible.types import Measurement, Measurements, Task

FEW_ROWS = 30
"""A group with fewer rows is named as small."""
NUM_EXCHANGES = 100
"""How often groups are exchanged between rows, to see which gaps chance alone brings."""
QUALITY_OF_CLASSES = ("accuracy", "auc", "expected_calibration_error")
QUALITY_OF_AMOUNTS = ("mean_absolute_error", "r2", "gini")


@dataclass(frozen=True)
class Share:
    """A mean over the rows of a group, or a sum by exposure, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Group:
    """One group: means over its rows, and amounts by exposure."""

    name: str
    rows: int
    label: Share
    """Of two classes the share of the second; of amounts their sum over the sum of exposure."""
    predicted: Share
    """Of two classes the share predicted as the second; of amounts the mean by exposure. NaN for more classes."""
    quality: Share
    """Of classes the accuracy, of amounts the mean absolute error."""


@dataclass(frozen=True)
class Gap:
    """The largest minus the smallest rate, mean or quality over groups."""

    measured: Measurement
    by_chance: float
    """95 % of gaps are smaller if the groups are exchanged between the rows; NaN where none is defined."""

    @property
    def is_clear(self) -> bool:
        return self.measured.value is not None and self.measured.value > self.by_chance


@dataclass(frozen=True)
class ByGroup:
    """One sensitive attribute."""

    attribute: str
    groups: tuple[Group, ...]
    gaps: tuple[Gap, ...]
    """Also those that are not defined on these rows, whose measurement has no value and says why."""
    num_unknown: int = 0
    """Rows without a value of the attribute, which are left out."""

    @property
    def why_not_compared(self) -> str:
        """Why no gap can be told from chance; empty if one can."""
        large = sum(group.rows >= FEW_ROWS for group in self.groups)
        return "" if large >= 2 else f"{plural(large, 'group')} of at least {FEW_ROWS} rows, and two are needed"


def together(columns: Sequence[Column]) -> Column:
    """The groups that several attributes make together, the most frequent first; a row needs a value of each."""
    groups = [groups_of(column) for column in columns]
    known = np.all([np.isfinite(group.values) for group in groups], axis=0)
    held, place, counts = np.unique(
        np.column_stack([group.values[known] for group in groups]), axis=0, return_inverse=True, return_counts=True
    )
    order = (-counts).argsort(kind="stable")
    values = np.full(len(known), np.nan)
    values[known] = order.argsort()[place.reshape(-1)]
    names = [", ".join(g.levels[int(v)] for g, v in zip(groups, held[n], strict=True)) for n in order]
    return Column(" and ".join(column.name for column in columns), values, tuple(names))


def observed(
    y: NDArray[np.float64],
    scores: Numbers,
    places: NDArray[np.int64],
    task: Task,
    exposure: Numbers | None,
    means: TaskChoice = "amounts",
) -> dict[str, Tensor]:
    """What metrics may ask for, of every row; no loss where predictions do not tell it.

    Args:
        means: of amounts, what the model has learned that the labels mean.
    """
    labels = torch.from_numpy(y)
    if task.logits is None:
        predicted = torch.from_numpy(scores[:, 0].copy())
        exposed = torch.ones(len(y), dtype=torch.float64) if exposure is None else torch.from_numpy(exposure)
        loss = losses_of_amounts(predicted, labels, exposed, means)
        found = {"predicted": predicted, "y": labels, "exposure": exposed}
        return found if loss is None else {**found, "loss": loss}
    probs = torch.from_numpy(np.column_stack([1 - scores, scores]) if scores.shape[1] == 1 else scores.copy())
    loss = losses_of_classes(probs, labels.long())
    return {"predicted": torch.from_numpy(places), "probs": probs, "y": labels.long(), "loss": loss}


def quality_of(rows: Mapping[str, Tensor], task: Task, *, num_resamples: int, seed: int) -> Measurements:
    """How good the model is on all rows."""
    names: tuple[str, ...] = QUALITY_OF_CLASSES if task.logits is not None else QUALITY_OF_AMOUNTS
    if task.logits is None and bool((rows["y"] >= 0).all() and (rows["predicted"] > 0).all()):
        names = ("mean_poisson_deviance", *names)
    return measure(_observations(rows, (), task), list(names), num_resamples=num_resamples, seed=seed)


def by_group(column: Column, rows: Mapping[str, Tensor], task: Task, *, num_resamples: int, seed: int) -> ByGroup:
    """The quality and all gaps of one attribute; rows where it is unknown are left out."""
    groups = groups_of(column)
    known = np.isfinite(groups.values)
    group = groups.values[known].astype(np.int64)
    some = {name: values[torch.from_numpy(known)] for name, values in rows.items()}
    at_hand = {**some, "group": torch.from_numpy(group)}
    names = gap_names(task, rows)
    measured = measure(_observations(at_hand, groups.levels, task), list(names), num_resamples=num_resamples, seed=seed)
    by_chance = _by_chance(at_hand, groups.levels, task, names, seed)
    gaps = tuple(Gap(m, by_chance[m.metric]) for m in measured)
    found = [_group(name, place, some, group, task, seed) for place, name in enumerate(groups.levels)]
    return ByGroup(column.name, tuple(one for one in found if one is not None), gaps, int((~known).sum()))


def gap_names(task: Task, rows: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Every difference between groups that labels of this kind have."""
    if task.logits is not None:
        return gaps_of(task, rows["probs"].shape[1])
    return gaps_of(task) + (("group_balance_gap",) if bool((rows["y"] >= 0).all()) else ())


def _by_chance(
    rows: Mapping[str, Tensor], names: tuple[str, ...], task: Task, metrics: tuple[str, ...], seed: int
) -> dict[str, float]:
    generator = torch.Generator().manual_seed(seed)
    found: dict[str, list[float]] = {metric: [] for metric in metrics}
    for _ in range(NUM_EXCHANGES):
        exchanged = rows["group"][torch.randperm(len(rows["group"]), generator=generator)]
        measured = measure(_observations({**rows, "group": exchanged}, names, task), list(metrics), num_resamples=0)
        for one in measured:
            found[one.metric].append(np.nan if one.value is None else one.value)
    return {metric: _high(values) for metric, values in found.items()}


def _high(values: list[float]) -> float:
    """95 % are smaller; NaN where none is defined."""
    defined = [value for value in values if np.isfinite(value)]
    return float(np.quantile(defined, 0.95)) if defined else np.nan


def _group(
    name: str, place: int, rows: Mapping[str, Tensor], group: NDArray[np.int64], task: Task, seed: int
) -> Group | None:
    at = torch.from_numpy(group == place)
    count = int(at.sum())
    if not count:
        return None
    y, predicted = rows["y"][at].double(), rows["predicted"][at].double()
    if task.logits is None:
        exposure = rows["exposure"][at]
        of_label, of_predicted = (_by_exposure(values, exposure, seed) for values in (y, predicted * exposure))
        return Group(name, count, of_label, of_predicted, _share((predicted * exposure - y).abs(), seed))
    is_binary = rows["probs"].shape[1] == 2
    blank = torch.full_like(y, torch.nan)
    shares = ((y, predicted) if is_binary else (blank, blank)) + ((y == predicted).double(),)
    return Group(name, count, *(_share(values, seed) for values in shares))


def _share(values: Tensor, seed: int) -> Share:
    low, high = bootstrapped_mean(values, num_resamples=200, seed=seed).tolist()
    return Share(float(values.mean()), low, high)


def _by_exposure(sums: Tensor, exposure: Tensor, seed: int) -> Share:
    """The sum over all rows by their exposure; of one unit each it is the mean."""
    pairs = torch.stack([sums, exposure], dim=1)
    draws = torch.stack([pairs[rows].sum(dim=0) for rows in resamples(len(pairs), 200, seed)])
    low, high = percentile_interval(draws[:, 0] / draws[:, 1]).tolist()
    return Share(float(sums.sum() / exposure.sum()), low, high)


def _observations(rows: Mapping[str, Tensor], names: tuple[str, ...], task: Task) -> Observations:
    return Observations(rows, torch.zeros(0, dtype=torch.long), {}, group_names=names, task=task)
