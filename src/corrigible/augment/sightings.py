"""Find marked content on rows without feedback.

A patch is found at a place if its distance to the content there is below a limit: half the distance of the nearest
unmarked place on any reviewed row. A patch is used only if other reviewed rows are below that limit where they are
marked.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import max_pool2d

from corrigible.augment.patches import Patches, paste, windows
from corrigible.data.dataset import rows_of
from corrigible.data.matching import patch_distances
from corrigible.data.protocol import Dataset
from corrigible.types import Batch

LEAST_SUPPORT = 0.1
"""Least share of the other reviewed rows on whose marks a patch must be found."""
MOST_PATCHES, MOST_COMPARED = 32, 32
"""Most patches that are tried, and most reviewed rows on which each is searched for."""
MOST_NUMBERS = 2**22
"""Most distances that are held in memory at once."""


@dataclass(frozen=True)
class Sightings:
    """For each row on which a patch was found, the patch and its place."""

    patches: Patches
    part: Int[Tensor, " row"]
    """The patch that was found; -1 on rows without any."""
    corner: Int[Tensor, " row two"]

    def take_out(self, x: Tensor, index: Tensor, wide_donors: Tensor, generator: torch.Generator) -> None:
        """Replace patches in these images by other images' content, in place, wherever one was found."""
        index = index.cpu()
        rows = (self.part[index] >= 0).nonzero().flatten() if len(self.part) else index[:0]
        if not len(rows):
            return
        found = index[rows]
        chosen = self.patches.of(self.part[found])
        donor = torch.randint(len(wide_donors), (len(rows),), generator=generator)
        others = windows(wide_donors, donor, self.corner[found], chosen.mask.shape[2:])
        paste(x, rows, self.corner[found], others, chosen.soft)


@dataclass(frozen=True)
class _Template:
    """A patch that reviewed rows agree on."""

    part: int
    limit: float
    """The mean squared difference below which the patch counts as found."""
    support: frozenset[int]
    """The reviewed rows on whose marks the patch is found."""


class _Trimmed(NamedTuple):
    """Patches of one size, without the empty border around their masks."""

    part: Int[Tensor, " part"]
    values: Float[Tensor, " part channel rows columns"]
    mask: Bool[Tensor, " part channel rows columns"]
    offset: tuple[int, int]
    """Top and left of the trimmed part in each patch."""


def templates(reviewed: Batch, patches: Patches, parts: Int[Tensor, " part"]) -> list[_Template]:
    """The parts that are found again on other reviewed rows: as few as cover all of these rows."""
    rows = _spread(torch.arange(len(reviewed.x)), MOST_COMPARED)
    found = [
        template
        for group in trimmed(patches, _spread(parts, MOST_PATCHES))
        for template in _agreed(reviewed, patches, group, rows)
    ]
    found.sort(key=lambda template: -len(template.support))
    chosen: list[_Template] = []
    covered: set[int] = set()
    for template in found:
        if not template.support <= covered:
            chosen.append(template)
            covered |= template.support
    return chosen


def _spread(rows: Int[Tensor, " row"], most: int) -> Int[Tensor, " chosen"]:
    """At most ``most`` of the rows, evenly spread."""
    return rows if len(rows) <= most else rows[torch.linspace(0, len(rows) - 1, most).round().long()]


def _agreed(reviewed: Batch, patches: Patches, group: _Trimmed, rows: Int[Tensor, " compared"]) -> Iterator[_Template]:
    """The patches of one size that are closer to what other rows mark than to anything these rows do not mark."""
    assert reviewed.irrelevant is not None
    marked = _touches(reviewed.irrelevant[rows].any(dim=1), group.mask.shape[2:])
    inside, outside = (torch.empty(len(rows), len(group.part)) for _ in range(2))
    for place in torch.arange(len(rows)).split(_rows_at_once(reviewed.x, len(group.part))):
        distances = patch_distances(reviewed.x[rows[place]], group.values, group.mask).to(inside)
        is_marked = marked[place, None].cpu()
        inside[place] = distances.masked_fill(~is_marked, torch.inf).flatten(2).amin(dim=2)
        outside[place] = distances.masked_fill(is_marked, torch.inf).flatten(2).amin(dim=2)
    for number, part in enumerate(group.part.tolist()):
        others = rows != patches.row[part]
        near, far = inside[others, number], outside[others, number]
        # A row whose every position overlaps a mark has nothing unmarked to compare with.
        agrees = (near < far) & far.isfinite()
        if not bool(agrees.any()):
            continue
        limit = float(far[agrees].min()) / 2
        is_found = agrees & (near < limit)
        if int(is_found.sum()) >= max(1.0, LEAST_SUPPORT * len(near)):
            yield _Template(part, limit, frozenset([int(patches.row[part]), *rows[others][is_found].tolist()]))


def trimmed(patches: Patches, parts: Int[Tensor, " part"]) -> list[_Trimmed]:
    """These patches without the empty border around their masks, grouped by size."""
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for part in parts.tolist():
        down, right = (patches.mask[part].any(dim=0).any(dim=axis).nonzero().flatten() for axis in (1, 0))
        groups[int(down[0]), int(down[-1]) + 1, int(right[0]), int(right[-1]) + 1].append(part)
    found = []
    for (top, bottom, left, end), members in groups.items():
        box = (members, slice(None), slice(top, bottom), slice(left, end))
        found.append(_Trimmed(torch.tensor(members), patches.values[box], patches.mask[box], (top, left)))
    return found


def _touches(marked: Bool[Tensor, " image height width"], size: Sequence[int]) -> Bool[Tensor, " image top left"]:
    """Whether a box of this size holds a marked pixel, for each place of its top left corner."""
    along = max_pool2d(marked.float()[:, None], (1, size[1]), stride=1)
    return max_pool2d(along, (size[0], 1), stride=1)[:, 0] > 0


def sightings_of(dataset: Dataset, reviewed: Batch, patches: Patches, parts: Int[Tensor, " part"]) -> Sightings:
    """Where those of the parts that reviewed rows agree on are found on the rows of the data set."""
    chosen = templates(reviewed, patches, parts)
    limits = {template.part: template.limit for template in chosen}
    part = torch.full((len(dataset) if chosen else 0,), -1)
    corner = torch.zeros(len(part), 2, dtype=torch.long)
    if not chosen:
        return Sightings(patches, part, corner)
    groups = trimmed(patches, torch.tensor(list(limits), dtype=torch.long))
    for index in torch.arange(len(part)).split(_rows_at_once(reviewed.x, len(chosen))):
        x, best = rows_of(dataset, index).x, torch.ones(len(index))
        for group in groups:
            limit = torch.tensor([limits[number] for number in group.part.tolist()])
            least, where = _nearest(patch_distances(x, group.values, group.mask))
            share, number = (least.cpu() / limit).min(dim=1)
            is_better = share < best
            best = torch.where(is_better, share, best)
            part[index[is_better]] = group.part[number[is_better]]
            of_best = where.cpu()[torch.arange(len(x)), number] - torch.tensor(group.offset)
            corner[index[is_better]] = of_best[is_better]
    return Sightings(patches, part, corner)


def _rows_at_once(x: Float[Tensor, " image channel height width"], num_patches: int) -> int:
    pixels = x.shape[2] * x.shape[3]
    return max(1, MOST_NUMBERS // (pixels * max(x.shape[1], num_patches)))


def _nearest(distances: Float[Tensor, " image patch top left"]) -> tuple[Tensor, Tensor]:
    """The least distance of each image from each patch, and the top and left of that place."""
    least, where = distances.flatten(2).min(dim=2)
    width = distances.shape[3]
    return least, torch.stack([where // width, where % width], dim=2)
