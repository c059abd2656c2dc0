"""Where marked content was found on rows that nobody marked.

A place counts as found when its distance to the patch is below a limit: half the distance of the nearest unmarked place
on any reviewed row. A patch is used only if other reviewed rows are below that limit where they are marked.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import max_pool2d

from corrigible.augment.patches import Patches, paste, windows
from corrigible.data.dataset import Dataset, rows_of
from corrigible.data.matching import patch_distances
from corrigible.types import Batch

LEAST_SUPPORT = 0.1
"""Share of the other reviewed rows on which a patch must be found where they are marked."""
MOST_PATCHES = 32
ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Sightings:
    """The place of a patch on each row on which it was found."""

    patches: Patches
    part: Int[Tensor, " row"]
    """-1 on rows without."""
    corner: Int[Tensor, " row two"]

    def take_out(self, wide: Tensor, index: Tensor, wide_donors: Tensor, generator: torch.Generator) -> None:
        """Put other images' content into these widened images, in place, wherever a patch was found."""
        index = index.cpu()
        rows = (self.part[index] >= 0).nonzero().flatten() if len(self.part) else index[:0]
        if not len(rows):
            return
        found = index[rows]
        chosen = self.patches.of(self.part[found])
        donor = torch.randint(len(wide_donors), (len(rows),), generator=generator)
        others = windows(wide_donors, donor, self.corner[found], chosen.mask.shape[2:])
        paste(wide, rows, self.corner[found], others, chosen.soft)


@dataclass(frozen=True)
class _Template:
    """A patch that reviewed rows agree on."""

    part: int
    limit: float
    """The mean squared difference below which it counts as found."""
    support: frozenset[int]
    """The reviewed rows on which it is found where they are marked."""


def templates(reviewed: Batch, patches: Patches, parts: Int[Tensor, " part"]) -> list[_Template]:
    """Those of the parts that are found again on other reviewed rows, as few as cover all of these."""
    found = [template for part in parts.tolist() if (template := _template(reviewed, patches, part)) is not None]
    found.sort(key=lambda template: -len(template.support))
    chosen: list[_Template] = []
    covered: set[int] = set()
    for template in found:
        if not template.support <= covered:
            chosen.append(template)
            covered |= template.support
    return chosen[:MOST_PATCHES]


def _template(reviewed: Batch, patches: Patches, part: int) -> _Template | None:
    assert reviewed.irrelevant is not None
    others = (torch.arange(len(reviewed.x)) != patches.row[part]).nonzero().flatten()
    values, mask, _ = trimmed(patches, part)
    distances = patch_distances(reviewed.x[others], values, mask)
    is_marked = _touches(reviewed.irrelevant[others].any(dim=1), mask)
    inside = distances.masked_fill(~is_marked, torch.inf).flatten(1).amin(dim=1)
    outside = distances.masked_fill(is_marked, torch.inf).flatten(1).amin(dim=1)
    agrees = inside < outside
    # A row on which every place touches a mark has no unmarked place to compare with.
    agrees &= outside.isfinite()
    if not bool(agrees.any()):
        return None
    limit = float(outside[agrees].min()) / 2
    is_found = agrees & (inside < limit)
    if int(is_found.sum()) < max(1.0, LEAST_SUPPORT * len(others)):
        return None
    return _Template(part, limit, frozenset([int(patches.row[part]), *others[is_found].tolist()]))


def trimmed(patches: Patches, part: int) -> tuple[Tensor, Tensor, tuple[int, int]]:
    """The patch without what is empty around its mask, and where that lies in it."""
    mask = patches.mask[part]
    down, right = (mask.any(dim=0).any(dim=axis).nonzero().flatten() for axis in (1, 0))
    top, left = int(down[0]), int(right[0])
    box = (slice(None), slice(top, int(down[-1]) + 1), slice(left, int(right[-1]) + 1))
    return patches.values[part][box], mask[box], (top, left)


def _touches(marked: Tensor, mask: Tensor) -> Tensor:
    """Whether a box of the mask's size, at each place, holds a marked pixel."""
    size = mask.shape[1:]
    return max_pool2d(marked.float()[:, None], tuple(size), stride=1)[:, 0] > 0


def sightings_of(dataset: Dataset, reviewed: Batch, patches: Patches, parts: Int[Tensor, " part"]) -> Sightings:
    """Where these parts, as far as reviewed rows agree on them, are found on the rows of the data set."""
    chosen = [(trimmed(patches, template.part), template) for template in templates(reviewed, patches, parts)]
    part = torch.full((len(dataset) if chosen else 0,), -1)
    corner = torch.zeros(len(part), 2, dtype=torch.long)
    if not chosen:
        return Sightings(patches, part, corner)
    for index in torch.arange(len(part)).split(ROWS_AT_ONCE):
        x = rows_of(dataset, index).x
        best = torch.ones(len(x))
        for (values, mask, offset), template in chosen:
            least, where = _nearest(patch_distances(x, values, mask))
            is_better = least.cpu() / template.limit < best
            best = torch.where(is_better, least.cpu() / template.limit, best)
            part[index[is_better]] = template.part
            corner[index[is_better]] = (where.cpu() - torch.tensor(offset))[is_better]
    return Sightings(patches, part, corner)


def _nearest(distances: Float[Tensor, " image top left"]) -> tuple[Tensor, Tensor]:
    """The least distance of each image, and top and left of the place where it is."""
    least, where = distances.flatten(1).min(dim=1)
    width = distances.shape[2]
    return least, torch.stack([where // width, where % width], dim=1)
