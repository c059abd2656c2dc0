"""Apply augmentations that do not look at the model to several batches at once.

For small batches most of the time goes into the call itself: changing 512 rows takes little longer than changing 64.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from corrigible.batches import Batches, augmented, joined_batches
from corrigible.declarations import declaration_of
from corrigible.errors import RecipeError
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
        for number, group in enumerate(groups(batches(epoch))):
            generator = torch.Generator().manual_seed(((seed * 1_000_003 + epoch) * 1_000_003 + number) % 2**63)
            sizes = [len(batch.index) for batch in group]
            joined = augmented(model, joined_batches(group), augment, generator)
            if len(joined.index) != sum(sizes):
                raise RecipeError(
                    f"augmentations that do not look at the model gave {len(joined.index)} rows; expected the same "
                    f'{sum(sizes)}: leave out looks_at="nothing" for one that changes their number'
                )
            yield from _split(joined, sizes)

    return changed if augment else batches


def groups(batches: Iterator[Batch]) -> Iterator[list[Batch]]:
    """The batches in lists of those that are changed together."""
    group: list[Batch] = []
    for batch in batches:
        group.append(batch)
        if (len(group) + 1) * len(batch.index) > MOST_ROWS or (len(group) + 1) * batch.x.numel() > MOST_NUMBERS:
            yield group
            group = []
    if group:
        yield group


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
