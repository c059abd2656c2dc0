"""Which pairs of features a network combines most.

The mixed difference is what Friedman and Popescu 2008, Predictive learning via rule ensembles, section 8, ask of an
interaction: that a feature's effect depends on the other's value.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from corrigible.errors import DataError
from corrigible.models.networks import network_of
from corrigible.models.predictive import all_outputs
from corrigible.tasks import CLASSES
from corrigible.types import Columns, Task

ROWS_AT_ONCE = 16_384


def strongest_interactions(
    model: nn.Module,
    x: Float[Tensor, " row column"],
    columns: Columns,
    *,
    task: Task = CLASSES,
    num_rows: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Each pair of features, and each number with itself, and how much they interact, the strongest first.

    For a row and another one drawn at random, a pair's interaction is f(both of the other) - f(first of the other) -
    f(second of the other) + f(row): what both together change beyond the sum of what each changes, all else as in the
    row. For a number with itself it is twice f(row) - 2 f(halfway) + f(number of the other), which is as large for a
    square as for a product. The table holds the mean over rows and outputs of the absolute values, in the unit of the
    outputs; of classes each logit is taken less the mean of all. It is 0 for a pair in which the network is additive.

    It needs no gradients, so that kinks and categories are no obstacle, and features² / 2 passes per row: with 30
    features and 200 rows about 100,000 rows.

    Args:
        task: what the outputs mean, such as ``corrigible.tasks.amounts(y)``.
        num_rows: how many rows, drawn at random, are looked at.

    Returns:
        Columns ``feature``, ``other`` and ``interaction``.

    Raises:
        DataError: fewer than 2 rows, or columns that do not fit.
    """
    if len(x) < 2 or x.shape[1] != len(columns.names):
        raise DataError(f"x is of shape {tuple(x.shape)}; expected 2 rows or more of {len(columns.names)} columns")
    generator = torch.Generator().manual_seed(seed)
    rows = x[torch.randperm(len(x), generator=generator)[:num_rows]]
    others = x[torch.randint(len(x), (len(rows),), generator=generator)]
    names = list(columns.features)
    masks = torch.tensor([[feature == name for feature in columns.feature] for name in names], device=x.device)
    read = _Reader(network_of(model), task)
    alone = torch.stack([read(torch.where(mask, others, rows)) for mask in masks])
    plain = read(rows)
    found = list(_of_pairs(read, (rows, others), masks, names, plain, alone))
    for place, name in enumerate(names):
        if not any(hot for hot, feature in zip(columns.one_hot, columns.feature, strict=True) if feature == name):
            halfway = read(torch.where(masks[place], (rows + others) / 2, rows))
            found.append((name, name, _mean_size(2 * (plain - 2 * halfway + alone[place]))))
    table = pd.DataFrame(found, columns=["feature", "other", "interaction"])
    return table.sort_values("interaction", ascending=False, kind="stable", ignore_index=True)


class _Reader:
    """The outputs of rows in float64, those of classes less their mean."""

    def __init__(self, model: nn.Module, task: Task) -> None:
        self.model, self.task = model, task

    def __call__(self, x: Float[Tensor, " row column"]) -> Float[Tensor, " row output"]:
        outputs = all_outputs(self.model, x, task=self.task).double()
        return outputs - outputs.mean(dim=1, keepdim=True) if self.task.name == "classes" else outputs


def _of_pairs(
    read: _Reader,
    rows: tuple[Tensor, Tensor],
    masks: Bool[Tensor, " feature column"],
    names: list[str],
    plain: Float[Tensor, " row output"],
    alone: Float[Tensor, " feature row output"],
) -> Iterator[tuple[Any, ...]]:
    """Each pair with its mean absolute mixed difference, several pairs in a pass."""
    own, others = rows
    pairs = list(combinations(range(len(names)), 2))
    at_once = max(1, ROWS_AT_ONCE // len(own))
    for start in range(0, len(pairs), at_once):
        some = pairs[start : start + at_once]
        both = torch.cat([torch.where(masks[one] | masks[two], others, own) for one, two in some])
        for (one, two), outputs in zip(some, read(both).split(len(own)), strict=True):
            yield names[one], names[two], _mean_size(outputs - alone[one] - alone[two] + plain)


def _mean_size(values: Tensor) -> float:
    return float(values.abs().mean())
