"""What each group gets of two models on the same rows: how often it is decided for, or what it pays."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from corrigible.data.attributes import TAKEN, Attribute, intersections
from corrigible.figures import number
from corrigible.group_gaps import predictions, row_weights, sensitive_values
from corrigible.protocols.fairness.judged_groups import JudgedGroups
from corrigible.types import Batch


@dataclass(frozen=True)
class GroupMeans:
    """The mean of a group by both models."""

    name: str
    what: str
    """"decided for class 1", with the name of the class where it has one, or "mean prediction"."""
    num_rows: int
    before: float
    after: float

    def __str__(self) -> str:
        return f"{self.name} {number(self.before)} → {number(self.after)} ({self.num_rows:,} rows)"


def group_means(
    before: JudgedGroups, after: JudgedGroups, *, names: Sequence[str], classes: Sequence[str]
) -> tuple[GroupMeans, ...]:
    """The means of each group, also of those too small to be judged.

    There are none for several classes, which have a rate each, or along an attribute that is a number.

    Args:
        names: of the groups, by their numbers; without any, values are called by their numbers.
        classes: names of the classes, likewise.
    """
    sensitive = sensitive_values(before.rows, before.how.sensitive)
    numbers = [predictions(judged.task, judged.outputs, None) for judged in (before, after)]
    if sensitive.is_floating_point() or numbers[0].shape[1] != 1:
        return ()
    weight = row_weights(before.task, before.rows, numbers[0])
    positive = classes[1] if len(classes) == 2 else "class 1"
    what = f"decided for {positive}" if before.task.name == "classes" else "mean prediction"
    called, found = _names_of_values(before.rows, before.how.sensitive, names), []
    for value in sensitive.unique().tolist():
        is_in = sensitive == value
        of_group = [_mean(of[:, 0], weight, is_in) for of in numbers]
        name = called[value] if len(called) > value >= 0 else f"{before.how.sensitive or 'group'} {value}"
        found.append(GroupMeans(name, what, int(is_in.sum()), *of_group))
    return tuple(found)


def _names_of_values(rows: Batch, sensitive: str | None, names: Sequence[str]) -> Sequence[str]:
    """The names of the attribute's values, of several attributes from the names of the groups that these form.

    There are none where the groups are not the intersections of all attributes beside the rows (`intersections`).
    """
    if sensitive is None:
        return names
    forming = {name: of for name, of in rows.extra.items() if name not in TAKEN and not of.is_floating_point()}
    parts = [name.split(", ") for name in names]
    if not names or sensitive not in forming or rows.group is None or any(len(part) != len(forming) for part in parts):
        return ()
    values = [list(dict.fromkeys(part)) for part in zip(*parts, strict=True)]
    attributes = [Attribute(name, tuple(of)) for name, of in zip(forming, values, strict=True)]
    group, called = intersections(attributes, forming)
    if group is None or called != tuple(names) or not torch.equal(group.to(rows.group), rows.group):
        return ()
    return values[list(forming).index(sensitive)]


def _mean(values: Tensor, weight: Tensor, is_in: Bool[Tensor, " row"]) -> float:
    return float((values * weight)[is_in].sum() / weight[is_in].sum())
