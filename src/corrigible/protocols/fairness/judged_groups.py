"""Rows on which gaps between groups are judged by what a model decides, and how large each gap is on them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.batches import collate, joined_batches
from corrigible.data.dataset import task_of
from corrigible.data.protocol import Dataset
from corrigible.errors import DataError
from corrigible.group_gaps import (
    CALIBRATION,
    LOSS,
    ODDS,
    OPPORTUNITY,
    PARITY,
    Gap,
    GroupSettings,
    sensitive_values,
)
from corrigible.models.predictive import all_outputs
from corrigible.printable import plural
from corrigible.types import Batch, Task

LEAST_ROWS = 30
"""Groups of fewer rows are not judged, and named: a rate of so few says little."""
ROWS_AT_ONCE = 4096
NUM_SHUFFLES = 40
KINDS: Mapping[str, Gap] = {
    "demographic_parity": PARITY,
    "equal_opportunity": OPPORTUNITY,
    "equalized_odds": ODDS,
    "group_calibration": CALIBRATION,
    "bounded_group_loss": LOSS,
}
"""Every kind of gap, by the name of the penalty that closes it."""


@dataclass(frozen=True)
class JudgedGroups:
    """Rows with a model's outputs for them."""

    task: Task
    rows: Batch
    """Without inputs."""
    outputs: Float[Tensor, " row output"]
    how: GroupSettings

    def gap(self, kind: Gap) -> float:
        """The gap of the decisions, or of amounts, between groups of enough rows."""
        return kind.of(self.task, self.outputs, self.rows, self.how)

    @property
    def losses(self) -> Float[Tensor, " row"]:
        return self.task.loss(self.outputs, self.rows.y, self.rows.extra)

    @property
    def loss(self) -> float:
        """The mean label loss, in which rows count by their weight."""
        return _mean(self.losses, self.rows.weight)

    @property
    def quality(self) -> float:
        """The mean quality of predictions, for classes the accuracy."""
        return _mean(self.task.quality(self.outputs, self.rows.y, self.rows.extra), self.rows.weight)

    def counted(self, counts: Float[Tensor, " row"]) -> "JudgedGroups":
        """The same rows, each as often as it says."""
        weight = counts if self.rows.weight is None else counts * self.rows.weight
        return replace(self, rows=replace(self.rows, weight=weight))


def judged_groups(
    model: nn.Module, dataset: Dataset, how: GroupSettings, *, index: Int[Tensor, " row"] | None = None
) -> JudgedGroups:
    """What the model says of these rows, of all rows without an index; those of weight 0 are left out.

    Raises:
        UnsupportedModelError: rows without the attribute.
    """
    index = torch.arange(len(dataset)) if index is None else index
    task, parts = task_of(dataset), [_that_count(dataset, part) for part in index.split(ROWS_AT_ONCE)]
    outputs = torch.cat([all_outputs(model, part.x, task=task) for part in parts])
    bare = [replace(part, x=part.x[:, ..., :0].flatten(1)).to("cpu") for part in parts]
    how = replace(how, sharpness=None, shrinkage=0.0, least_rows=LEAST_ROWS)
    found = JudgedGroups(task, joined_batches(bare), outputs.double(), how)
    sensitive_values(found.rows, how.sensitive)
    return found


def _that_count(dataset: Dataset, index: Int[Tensor, " row"]) -> Batch:
    found = collate(dataset, index)
    if found.weight is None or bool((found.weight > 0).all()):
        return found
    return collate(dataset, index[found.weight > 0])


def joined_groups(parts: list[JudgedGroups]) -> JudgedGroups:
    """The rows of all parts."""
    outputs = torch.cat([part.outputs for part in parts])
    return replace(parts[0], rows=joined_batches([part.rows for part in parts]), outputs=outputs)


def gap_by_chance(judged: JudgedGroups, kind: Gap, seed: int) -> float | None:
    """The gap that chance alone brings: 95 % of shuffles have at most this one; None where none has two groups.

    A shuffle gives each row the attribute of another row with the same label.
    """
    generator, rows, name = torch.Generator().manual_seed(seed), judged.rows, judged.how.sensitive
    strata, values, gaps = judged.task.strata(rows.y), sensitive_values(rows, name), []
    for _ in range(NUM_SHUFFLES):
        given = values.clone()
        for stratum in strata.unique():
            place = (strata == stratum).nonzero().flatten()
            given[place] = values[place[torch.randperm(len(place), generator=generator)]]
        shuffled = replace(rows, group=given) if name is None else replace(rows, extra={**rows.extra, name: given})
        gaps.append(replace(judged, rows=shuffled).gap(kind))
    known = torch.tensor([gap for gap in gaps if gap == gap], dtype=torch.float64)
    return float(known.quantile(0.95)) if len(known) else None


def require_groups(judged: JudgedGroups, kind: Gap, names: tuple[str, ...]) -> str:
    """What is said of groups of few rows, "" without any.

    Raises:
        DataError: fewer than two groups are left.
    """
    sensitive = sensitive_values(judged.rows, judged.how.sensitive)
    if sensitive.is_floating_point():
        return ""
    values, counts = sensitive.unique(return_counts=True)
    of_group = judged.how.sensitive is None and len(names) > 0
    small = [
        f"{names[int(value)] if of_group else int(value)} ({plural(int(count), 'row')})"
        for value, count in zip(values, counts, strict=True)
        if count < LEAST_ROWS
    ]
    if not judged.gap(kind) >= 0:
        raise DataError(
            f"fewer than two groups have {LEAST_ROWS} rows to judge by ({plural(len(values), 'group')} in "
            f"{plural(len(sensitive), 'row')}); expected more rows, or groups joined to larger ones"
        )
    return f"not judged, of fewer than {LEAST_ROWS} rows: {', '.join(small)}" if small else ""


def kinds_of(judged: JudgedGroups) -> dict[str, Gap]:
    """The kinds of gaps that these rows can have."""
    is_number = sensitive_values(judged.rows, judged.how.sensitive).is_floating_point()
    left_out: set[str] = set() if judged.task.name == "classes" else {"equal_opportunity"}
    left_out |= {"bounded_group_loss"} if is_number else set()
    return {name: kind for name, kind in KINDS.items() if name not in left_out}


def _mean(values: Tensor, weight: Any) -> float:
    weight = torch.ones(len(values)) if weight is None else weight
    return float((values.double() * weight.double()).sum() / weight.double().sum())
