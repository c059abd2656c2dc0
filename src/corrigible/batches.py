"""Make batches from a data set and the feedback about it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from corrigible.data.dataset import rows_of, strata_of, task_of
from corrigible.data.group_values import all_groups
from corrigible.data.protocol import Dataset, extra_of
from corrigible.data.representative import Target, representative_parts, shares_of
from corrigible.errors import RecipeError
from corrigible.feedback.masks import Marks
from corrigible.methods import name_of
from corrigible.models.forward import Augment
from corrigible.types import Batch

Batches = Callable[[int], Iterator[Batch]]
"""epoch -> its batches; the same epoch gives the same batches again."""


def collate(dataset: Dataset, index: Tensor, marks: Marks | None = None) -> Batch:
    """The rows at these positions, with the masks that feedback gives them."""
    rows = rows_of(dataset, index)
    task, irrelevant, relevant = task_of(rows), None, None
    if marks is not None:
        strata = rows.y if task.logits is not None else index  # Only classes have marks of their own.
        irrelevant, relevant = (
            masks.masks(index, strata).to(rows.x.device) for masks in (marks.irrelevant, marks.relevant)
        )
    about: dict[str, Any] = {"group": rows.group, "weight": rows.weight, "extra": rows.extra, "columns": rows.columns}
    return Batch(index, rows.x, rows.y, irrelevant, relevant, task=task, **about)


def joined_batches(group: Sequence[Batch]) -> Batch:
    """The rows of all these batches, one after the other."""
    if len(group) == 1:
        return group[0]
    first = group[0]
    tensors: dict[str, Any] = {
        field.name: torch.cat([getattr(batch, field.name) for batch in group])
        for field in fields(first)
        if isinstance(getattr(first, field.name), Tensor)
    }
    extra = {name: torch.cat([batch.extra[name] for batch in group]) for name in first.extra}
    return replace(first, **tensors, extra=extra)


def augmented(model: nn.Module, batch: Batch, augment: Sequence[Augment], generator: torch.Generator) -> Batch:
    """The batch after all changes, one after the other.

    Raises:
        RecipeError: a change that did not return a batch whose parts have as many rows each, with labels of one type.
    """
    for change in augment:
        found = change(model, batch, generator)
        if not isinstance(found, Batch):
            raise RecipeError(f"augmentation {name_of(change)!r} gave a {type(found).__name__}; expected a Batch")
        parts = {f.name: getattr(found, f.name) for f in fields(found)} | dict(found.extra)
        counts = {name: len(part) for name, part in parts.items() if isinstance(part, Tensor)}
        if len(set(counts.values())) > 1:
            raise RecipeError(f"augmentation {name_of(change)!r} gave {counts} rows; expected as many of each part")
        if found.y.dtype != batch.y.dtype:
            raise RecipeError(
                f"augmentation {name_of(change)!r} gave labels of {found.y.dtype}; expected {batch.y.dtype}"
            )
        batch = found
    return batch


def label_batches(
    dataset: Dataset, batch_size: int, seed: int, *, marks: Marks | None = None, rows: Tensor | None = None
) -> Batches:
    """Batches of every row, or of every one of ``rows``, once per epoch, shuffled by the seed and the epoch.

    A single remaining row joins the batch before it, because batch normalisation cannot be trained on one row. If the
    task compares rows of a query, each batch holds whole queries, of about ``batch_size`` rows.
    """
    divided = label_parts(dataset, batch_size, seed, rows=rows)
    return lambda epoch: (collate(dataset, index, marks) for index in divided(epoch))


def representative_batches(
    dataset: Dataset,
    batch_size: int,
    seed: int,
    *,
    target: Target | None = None,
    marks: Marks | None = None,
    rows: Tensor | None = None,
) -> Batches:
    """Batches that each hold every group with every label by its share, to within one row.

    Without a target the shares are those of the rows, and an epoch holds every row once, as with `label_batches`; with
    one, every row is still seen, those of a stratum equally often: see `representative_parts`.

    Args:
        target: (group, label) → share, with the sum 1; the group is 0 for data without groups. Labels that are not
            classes are divided into quarters.
        rows: only these.

    Raises:
        RecipeError: a target that does not fit, or a task that compares the rows of a query.
    """
    if _queries(dataset) is not None:
        raise RecipeError("batches of this task hold whole queries, so they cannot be representative of strata")
    label, group = strata_of(dataset), all_groups(dataset)
    pairs = torch.stack([torch.zeros_like(label) if group is None else group, label], dim=1)
    chosen = torch.arange(len(dataset)) if rows is None else rows
    kinds, strata = pairs[chosen].unique(dim=0, return_inverse=True)
    shares = None if target is None else shares_of(target, kinds)
    divided = representative_parts(strata, batch_size, seed, shares=shares)
    return lambda epoch: (collate(dataset, chosen[part], marks) for part in divided(epoch))


def label_parts(
    dataset: Dataset, batch_size: int, seed: int, *, rows: Tensor | None = None
) -> Callable[[int], list[Tensor]]:
    """A function epoch -> the positions of the rows in each of its batches; see `label_batches`."""
    query = _queries(dataset)

    def parts(epoch: int) -> list[Tensor]:
        order = torch.randperm(len(dataset) if rows is None else len(rows), generator=_generator(seed, epoch))
        order = order if rows is None else rows[order]
        found = list(order.split(batch_size)) if query is None else _of_queries(order, query, batch_size)
        if batch_size > 1 and len(found) > 1 and len(found[-1]) == 1:
            found[-2:] = [torch.cat(found[-2:])]
        return found

    return parts


def _queries(dataset: Dataset) -> Tensor | None:
    """The query of each row, if the task compares the rows of a query; otherwise None."""
    query = extra_of(dataset).get("query") if "query" in task_of(dataset).extra else None
    return None if query is None else query.cpu()


def _endless(
    epoch: int, *, dataset: Dataset, marks: Marks, rows: Tensor, query: Tensor, size: int, seed: int
) -> Iterator[Batch]:
    generator = _generator(seed, epoch)
    while True:
        order = rows[torch.randperm(len(rows), generator=generator)]
        yield from (collate(dataset, index, marks) for index in _of_queries(order, query, size))


def _of_queries(order: Tensor, query: Tensor, batch_size: int) -> list[Tensor]:
    """The rows divided into batches of whole queries, which come in the order of their first row."""
    members: dict[float, list[int]] = {}
    for row, name in zip(order.tolist(), query[order].tolist(), strict=True):
        members.setdefault(name, []).append(row)
    parts: list[list[int]] = [[]]
    for rows in members.values():
        if parts[-1] and len(parts[-1]) + len(rows) > batch_size:
            parts.append([])
        parts[-1] += rows
    return [torch.tensor(part) for part in parts]


def reviewed_batches(dataset: Dataset, marks: Marks, rows: Tensor, batch_size: int, seed: int) -> Batches:
    """An endless stream of batches of reviewed rows: all rows in a new order, again and again.

    If the task compares rows of a query, each batch holds whole queries of these rows.
    """
    query = _queries(dataset)
    if query is not None:
        size = min(batch_size, len(rows))
        return partial(_endless, dataset=dataset, marks=marks, rows=rows, query=query, size=size, seed=seed)

    def batches(epoch: int) -> Iterator[Batch]:
        generator = _generator(seed, epoch)
        waiting = torch.empty(0, dtype=torch.long)
        size = min(batch_size, len(rows))
        while True:
            if len(waiting) < size:
                waiting = torch.cat([waiting, rows[torch.randperm(len(rows), generator=generator)]])
            yield collate(dataset, waiting[:size], marks)
            waiting = waiting[size:]

    return batches


def _generator(seed: int, epoch: int) -> torch.Generator:
    return torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
