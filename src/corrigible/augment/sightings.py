"""Where marked content was found on rows that nobody marked.

Reviewed rows tell what counts as found: at its own mark a row must be nearer to the patch than half of what the
nearest unmarked place of any such row is.
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

    def replaced(self, x: Tensor, index: Tensor, wide_donors: Tensor, generator: torch.Generator) -> Tensor:
        """The images with other images' content where a patch was found."""
        index = index.cpu()
        rows = (self.part[index] >= 0).nonzero().flatten() if len(self.part) else index[:0]
        if not len(rows):
            return x
        found = index[rows]
        chosen = self.patches.of(self.part[found])
        donor = torch.randint(len(wide_donors), (len(rows),), generator=generator)
        others = windows(wide_donors, donor, self.corner[found], chosen.mask.shape[2:])
        return paste(x, rows, self.corner[found], others, chosen.soft)


def thresholds(reviewed: Batch, patches: Patches, parts: Tensor) -> Float[Tensor, " part"]:
    """For each of these parts the distance below which it counts as found; NaN where the rows do not agree on one."""
    assert reviewed.irrelevant is not None
    found = torch.full((len(parts),), torch.nan)
    marked = reviewed.irrelevant.any(dim=1)
    for place, part in enumerate(parts.tolist()):
        others = torch.arange(len(reviewed.x)) != patches.row[part]
        values, mask, _ = trimmed(patches, part)
        distances = patch_distances(reviewed.x[others], values, mask)
        is_marked = _touches(marked[others], mask)
        inside = distances.masked_fill(~is_marked, torch.inf).flatten(1).amin(dim=1)
        outside = distances.masked_fill(is_marked, torch.inf).flatten(1).amin(dim=1)
        agrees = inside < outside
        if not bool(agrees.any()):
            continue
        threshold = outside[agrees].min() / 2
        support = int((inside[agrees] < threshold).sum())
        if support >= max(1.0, LEAST_SUPPORT * int(others.sum())):
            found[place] = threshold
    return found


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


def sightings_of(dataset: Dataset, reviewed: Batch, patches: Patches, parts: Tensor) -> Sightings:
    """Look for these parts on every row of the data set."""
    limit = thresholds(reviewed, patches, parts)
    chosen = limit.isfinite().nonzero().flatten()[:MOST_PATCHES]
    part = torch.full((len(dataset) if len(chosen) else 0,), -1)
    corner = torch.zeros(len(part), 2, dtype=torch.long)
    for index in torch.arange(len(part)).split(ROWS_AT_ONCE):
        x = rows_of(dataset, index).x.float()
        best = torch.ones(len(x))
        for place in chosen.tolist():
            values, mask, offset = trimmed(patches, int(parts[place]))
            distances = patch_distances(x, values, mask)
            least, where = distances.flatten(1).min(dim=1)
            ratio = least / limit[place]
            is_better = ratio < best
            best = torch.where(is_better, ratio, best)
            at = torch.stack([where // distances.shape[2] - offset[0], where % distances.shape[2] - offset[1]], dim=1)
            part[index[is_better]] = int(parts[place])
            corner[index[is_better]] = at[is_better]
    return Sightings(patches, part, corner)
