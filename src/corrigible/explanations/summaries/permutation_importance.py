"""Breiman 2001, Random forests, section 10.

For any model: Fisher, Rudin and Dominici 2019, All models are wrong, but many are useful.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from corrigible.data.row_order import in_order_of_values
from corrigible.errors import DataError, RecipeError, unknown
from corrigible.explanations.counts import require_count
from corrigible.explanations.groups import Groups, groups_of
from corrigible.explanations.inputs import checked_rows
from corrigible.explanations.question import answers, answers_to
from corrigible.intervals import bootstrapped_mean, half_width
from corrigible.tasks import CLASSES, TaskChoice, task_named
from corrigible.types import Columns

Quality = Callable[[Tensor, Tensor], Tensor]
"""(outputs, y) -> quality of the predictions, higher is better: one number per row, or one for all rows."""
QUALITIES = ("accuracy", "log_likelihood")


@dataclass(frozen=True)
class PermutationImportance:
    """How much worse the model does when it cannot see a feature; one entry per feature."""

    features: tuple[str, ...]
    drop: tuple[float, ...]
    """Mean drop over the repeats; below 0 if the model did better by chance."""
    low: tuple[float, ...]
    """Lower end of the 95 % interval."""
    high: tuple[float, ...]
    interval_of: Literal["rows", "repeats"]
    """What the interval covers: other rows like these, or other permutations of the same rows."""
    whole: float
    """The quality on the rows as they are."""
    num_rows: int
    repeats: int


def permutation_importance(
    model: Callable[[Tensor], Any],
    x: Any,
    y: Any,
    *,
    quality: str | Quality | None = None,
    task: TaskChoice | None = None,
    extra: Mapping[str, Tensor] | None = None,
    columns: Columns | None = None,
    groups: Groups = None,
    repeats: int = 10,
    num_resamples: int = 1000,
    seed: int = 0,
    rows_at_once: int | None = None,
) -> PermutationImportance:
    """How much the quality drops when all columns of a feature take the values of other rows.

    Permuted rows may be unlike the data: two features that carry the same information can both seem unimportant, and
    the model may be judged on impossible rows.

    Args:
        model: a network, or any function of the rows that gives scores.
        x: rows, (batch, …), as the model takes them; a tensor or array.
        y: one per row; labels of the task, unless the quality is a function.
        quality: ``accuracy``, ``log_likelihood``, or a function (outputs, y) -> one number per row, or one for all;
            None for the task's own, for classes the accuracy. With one per row, the interval is a percentile bootstrap
            over rows; with one for all, Student's over the repeats.
        task: what outputs and labels mean: a name in ``TASKS``, {"name": …, setting: …}, or the `Task` of a data set;
            None for classes.
        extra: further tensors with one entry per row, such as "exposure", for tasks that ask for them.
        columns: which columns of a table make up which feature.
        groups: alternatively, which inputs form a group, in the shape of one row.
        repeats: number of permutations of each feature.
        num_resamples: number of bootstrap resamples.

    Raises:
        RecipeError: an unknown quality or task, fewer than 1 repeat, or with one number for all rows fewer than 2.
        DataError: x, y, columns or groups that do not fit.
    """
    require_count("repeats", repeats)
    require_count("num_resamples", num_resamples)
    if isinstance(quality, str) and quality not in QUALITIES:
        raise RecipeError(unknown("quality", quality, QUALITIES))
    rows = checked_rows(x, columns)
    y = torch.as_tensor(y)
    if y.shape[:1] != rows.shape[:1]:
        raise DataError(f"y has shape {tuple(y.shape)}; expected one per row, ({len(rows)}, …)")
    labels = groups_of(rows, groups, columns)
    if len(labels) > 1 or (groups is not None and torch.as_tensor(groups).shape == rows.shape):
        raise DataError("groups differ between rows; expected the same ones in every row, in the shape of one row")
    order = in_order_of_values(rows, y.to(rows.device))
    rows, of_rows = rows[order], {name: values[order.to(values.device)] for name, values in (extra or {}).items()}
    measure, y = _measure(quality, task, y[order.to(y.device)], of_rows)
    y = y.to(rows.device)
    whole = measure(answers(model, rows, rows_at_once=rows_at_once, seed=seed), y).double()
    drops = []
    for feature in range(int(labels.max()) + 1):
        permuted = _permuted(rows, labels[0] == feature, repeats, np.random.default_rng([seed, feature]))
        outputs = answers_to(model, permuted, repeats * len(rows), rows_at_once=rows_at_once, seed=seed)
        drops.append(torch.stack([whole - measure(part, y) for part in outputs.split(len(rows))]))
    shown = _names(labels[0], columns, groups)
    settings = {"num_rows": len(rows), "num_resamples": num_resamples, "seed": seed}
    return _importance(torch.stack(drops), whole, shown, **settings)


def _measure(
    quality: str | Quality | None, task: TaskChoice | None, y: Tensor, extra: Mapping[str, Tensor]
) -> tuple[Quality, Tensor]:
    """The quality, and the labels as it takes them."""
    if quality is not None and not isinstance(quality, str):
        return quality, y
    found = task_named(CLASSES if task is None else task, y, extra)
    if quality == "log_likelihood":
        return lambda outputs, y: -found.loss(found.outputs(outputs), y, extra), found.check(y)
    if quality == "accuracy" and found.logits is None:
        raise RecipeError(f"quality is 'accuracy'; the task {found.name!r} has no classes: leave it out")
    if quality == "accuracy":
        return lambda outputs, y: (found.observed(outputs)["predicted"] == y).double(), found.check(y)
    return lambda outputs, y: found.quality(found.outputs(outputs), y, extra), found.check(y)


def _permuted(
    rows: Tensor, hidden: Tensor, repeats: int, rng: np.random.Generator
) -> Callable[[Int[Tensor, " some"]], Tensor]:
    """The rows once per repeat, with the hidden inputs of other rows, made from their positions."""
    donors = torch.from_numpy(np.concatenate([rng.permutation(len(rows)) for _ in range(repeats)])).to(rows.device)

    def made(place: Tensor) -> Tensor:
        place = place.to(rows.device)
        return torch.where(hidden, rows[donors[place]], rows[place % len(rows)])

    return made


def _importance(
    drops: Tensor, whole: Tensor, names: tuple[str, ...], *, num_rows: int, num_resamples: int, seed: int
) -> PermutationImportance:
    """The importance from drops of shape (feature, repeat), or (feature, repeat, row)."""
    if drops.ndim not in (2, 3) or (drops.ndim == 3 and drops.shape[2] != num_rows):
        raise DataError(f"the quality has shape {tuple(drops.shape[2:])}; expected ({num_rows},), or () for all rows")
    repeats, is_by_row = drops.shape[1], drops.ndim == 3
    drops = drops.cpu()
    if is_by_row:
        low, high = bootstrapped_mean(drops.mean(dim=1).T, num_resamples=num_resamples, seed=seed)
    else:
        low, high = _over_repeats(drops)
    return PermutationImportance(
        features=names,
        drop=tuple(drops.flatten(1).mean(dim=1).tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        interval_of="rows" if is_by_row else "repeats",
        whole=float(whole.mean()),
        num_rows=num_rows,
        repeats=repeats,
    )


def _over_repeats(drops: Tensor) -> Tensor:
    """Student's interval for the mean over all permutations."""
    half = half_width(drops.T.numpy())
    if half is None:
        raise RecipeError("repeats is 1; expected at least 2, so that there is an interval")
    return drops.mean(dim=1) + torch.tensor([[-1.0], [1.0]]) * torch.from_numpy(half)


def _names(labels: Tensor, columns: Columns | None, groups: Groups) -> tuple[str, ...]:
    if columns is not None and groups is None:
        return columns.features
    kind = "input" if groups is None else "group"
    return tuple(f"{kind} {place}" for place in range(int(labels.max()) + 1))
