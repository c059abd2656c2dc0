"""Apply augmentations that do not look at the model to several batches at once.

For small batches most of the time goes into the call itself: changing 512 rows takes little longer than changing 64.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from corrigible.batches import Batches, augmented
from corrigible.declarations import declaration_of
from corrigible.models.forward import Augment
from corrigible.types import Batch

MOST_ROWS = 512
"""Most rows that are changed together."""
MOST_NUMBERS = 2**22
"""Most numbers that these rows may hold; larger rows are changed batch by batch."""


def split_ahead(augment: Sequence[Augment]) -> tuple[list[Augment], list[Augment]]:
    """Split into the leading changes that do not look at the model, and all others, both in their order."""
    looks = [declaration_of(change).looks_at != "nothing" for change in augment]
    first = looks.index(True) if True in looks else len(augment)
    return list(augment[:first]), list(augment[first:])


def changed_ahead(model: nn.Module, batches: Batches, augment: Sequence[Augment], seed: int) -> Batches:
    """The batches with these changes; draws depend on the seed, the epoch and which batches are changed together."""

    def changed(epoch: int) -> Iterator[Batch]:
        for number, group in enumerate(_groups(batches(epoch))):
            generator = torch.Generator().manual_seed(((seed * 1_000_003 + epoch) * 1_000_003 + number) % 2**63)
            joined = augmented(model, _joined(group), augment, generator)
            yield from _split(joined, [len(batch.index) for batch in group])

    return changed if augment else batches


def _groups(batches: Iterator[Batch]) -> Iterator[list[Batch]]:
    group: list[Batch] = []
    for batch in batches:
        group.append(batch)
        if (len(group) + 1) * len(batch.index) > MOST_ROWS or (len(group) + 1) * batch.x.numel() > MOST_NUMBERS:
            yield group
            group = []
    if group:
        yield group


def _joined(group: Sequence[Batch]) -> Batch:
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


def _split(batch: Batch, sizes: Sequence[int]) -> Iterator[Batch]:
    tensors: dict[str, Any] = {
        field.name: value.split(list(sizes))
        for field in fields(batch)
        if isinstance(value := getattr(batch, field.name), Tensor)
    }
    extra = {name: value.split(list(sizes)) for name, value in batch.extra.items()}
    for place in range(len(sizes)):
        own: dict[str, Any] = {name: parts[place] for name, parts in tensors.items()}
        yield replace(batch, **own, extra={name: parts[place] for name, parts in extra.items()})
