"""What `transplant` would have done if something marked had been left in place, by the same draws.

A move is made for the remarks that mark what it moves: of images a part of a mask, of tables a feature, of texts a
phrase. Cues with one of them left in place change every other content of every row as before, bit by bit.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import Bool
from torch import Tensor

from corrigible.augment.columns import ColumnCues
from corrigible.augment.patches import Patches, window
from corrigible.augment.pixels import PixelCues
from corrigible.augment.transplant import Cues
from corrigible.augment.words import WordCues, runs
from corrigible.batches import collate
from corrigible.data.dataset import strata_of
from corrigible.data.protocol import Dataset
from corrigible.feedback.masks import Masks, marks_of_one
from corrigible.types import Batch, Feedback

Content = TypeVar("Content", PixelCues, ColumnCues, WordCues)


@dataclass(frozen=True)
class LeftInPlace:
    """Some of the marked content, and how rows are changed without moving it."""

    remarks: tuple[int, ...]
    """The positions of the remarks that all mark it."""
    cues: Cues


def left_in_place(cues: Cues, feedback: Sequence[Feedback], dataset: Dataset) -> list[LeftInPlace]:
    """For each set of remarks that ask for moves together, the cues with these moves left out.

    A remark may be in several sets, and every remark that marks something irrelevant is in one at least. Draws, which
    places count as fixed, and how often all other content is moved stay as they are.

    Args:
        feedback: what the cues were made from, in order.
    """
    said = [marks_of_one(one, dataset) if one.polarity == "irrelevant" else None for one in feedback]
    behind = _behind(cues, said, dataset)
    moves: dict[tuple[int, ...], list[int]] = {}
    for item, remarks in enumerate(behind):
        moves.setdefault(tuple(sorted(remarks)), []).append(item)
    named = {remark for remarks in moves for remark in remarks}
    for place, masks in enumerate(said):
        if masks is not None and place not in named:  # Its rows are not among those that lend content.
            moves[place,] = []
    return [LeftInPlace(remarks, _without(cues, items, [said[r] for r in remarks])) for remarks, items in moves.items()]


def _behind(cues: Cues, said: Sequence[Masks | None], dataset: Dataset) -> list[set[int]]:
    """For each item of the content, the remarks that mark it on any row."""
    reviewed = collate(dataset, cues.rows, cues.marks)
    pieces = list(_pieces(cues.content, reviewed))
    behind: list[set[int]] = [set() for _ in range(_count(cues.content))]
    strata = strata_of(dataset)[cues.rows]
    for remark, masks in enumerate(said):
        if masks is None:
            continue
        own = masks.masks(cues.rows, strata)
        marked = own.flatten(1).any(dim=1).tolist()
        for row, mask, item in pieces:
            if marked[row] and bool((own[row] & mask).any()):
                behind[item].add(remark)
    return behind


def _pieces(
    content: PixelCues | ColumnCues | WordCues, reviewed: Batch
) -> Iterator[tuple[int, Bool[Tensor, " *input"], int]]:
    """The place of a reviewed row, what is marked there, and the item of the content that this is."""
    assert reviewed.irrelevant is not None
    marked = reviewed.irrelevant.cpu()
    if isinstance(content, PixelCues):
        patches, size = content.patches, marked.shape[2:]
        for part, row in enumerate(patches.row.tolist()):
            back = (-patches.corner[part]).tolist()
            yield row, window(patches.mask[part].cpu(), back, size), part
    elif isinstance(content, ColumnCues):
        for item, columns in enumerate(content.features):
            for row in (marked & columns).any(dim=1).nonzero().flatten().tolist():
                yield row, marked[row] & columns, item
    else:
        for row, places in enumerate(marked.any(dim=2)):
            for begin, end in runs(places):
                mask = torch.zeros_like(marked[row])
                mask[begin:end] = True
                words = reviewed.x[row, begin:end]
                yield row, mask, next(item for item, phrase in enumerate(content.phrases) if words.equal(phrase))


def _count(content: PixelCues | ColumnCues | WordCues) -> int:
    if isinstance(content, PixelCues):
        return len(content.patches)
    return len(content.features if isinstance(content, ColumnCues) else content.phrases)


def _without(cues: Cues, items: Sequence[int], said: Iterable[Masks | None]) -> Cues:
    """The cues with these items of their content left in place."""
    content = cues.content
    if isinstance(content, WordCues):
        return replace(cues, content=replace(content, left=frozenset(items)))
    if isinstance(content, ColumnCues):
        return replace(cues, content=replace(content, features=_emptied(content.features, items)))
    patches = _nothing_at(content.patches, items)
    sightings = replace(content.sightings, patches=_nothing_at(content.sightings.patches, items))
    left = _joined([masks for masks in said if masks is not None])
    return replace(cues, content=replace(content, patches=patches, sightings=sightings), left=left)


def _nothing_at(patches: Patches, parts: Sequence[int]) -> Patches:
    """The patches, of which these show nothing."""
    return replace(patches, mask=_emptied(patches.mask, parts), soft=_emptied(patches.soft, parts))


def _emptied(values: Tensor, places: Sequence[int]) -> Tensor:
    found = values.clone()
    found[list(places)] = 0
    return found


def _joined(masks: Sequence[Masks]) -> Masks:
    """All that any of these marks."""
    everywhere = torch.stack([one.everywhere for one in masks]).any(dim=0)
    by_class, by_row = dict[int, Tensor](), dict[int, Tensor]()
    for one in masks:
        for found, of_one in ((by_class, one.by_class), (by_row, one.by_row)):
            for key, mask in of_one.items():
                found[key] = found[key] | mask if key in found else mask
    return Masks(everywhere, by_class, by_row)
