"""Move marked content of images: paste it onto other images, and replace it where it is known to be."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from corrigible.augment.chances import chances
from corrigible.augment.patches import MARGIN, Patches, cut_out, paste, places, widened, windows
from corrigible.augment.sightings import Sightings, sightings_of
from corrigible.data.protocol import Dataset
from corrigible.types import Batch

FIXED_SHARE = 0.15
"""Share of the reviewed rows from which a place that they mark is a fixed place of the cue; other cues move about."""
NUM_MOVED = 1
"""Most patches of a moving cue that a label row gets."""
LEAST_BIG = 0.1
"""Share of the image from which on a part is neither mirrored nor moved."""


@dataclass(frozen=True)
class PixelCues:
    """The marked parts of images."""

    patches: Patches
    donors: Float[Tensor, " donor channel height width"]
    """Images drawn from the training data."""
    wide_donors: Float[Tensor, " donor channel rows columns"]
    """The donors, padded so that a patch fits anywhere."""
    fixed: tuple[tuple[Int[Tensor, " at_place"], float], ...]
    """For each place that many rows mark, the parts there and how often a label row gets one."""
    moving: Int[Tensor, " moving"]
    """All other parts."""
    moving_chance: float
    extent: Int[Tensor, " part two"]
    """Height and width of each part."""
    is_small: Bool[Tensor, " part"]
    """True where a part may be moved and mirrored."""
    sightings: Sightings
    """Where marked content was found on rows without feedback."""


def pixel_cues(dataset: Dataset, reviewed: Batch, donors: Float[Tensor, " donor *input"]) -> PixelCues:
    """The parts marked on these rows, split into those at a fixed place and those that move about.

    A place is fixed if many rows mark it. Content that moves about is searched for on all other rows of the data set
    (`sightings_of`).
    """
    assert reviewed.irrelevant is not None
    patches = cut_out(reviewed.x, reviewed.irrelevant)
    place = places(patches)
    num_rows = max(1, int(reviewed.irrelevant.flatten(1).any(dim=1).sum()))
    found = [(place == number).nonzero().flatten() for number in place.unique().tolist()]
    counts = torch.tensor([len(patches.row[parts].unique()) for parts in found])
    is_fixed = (counts >= FIXED_SHARE * num_rows) & (counts > min(1, num_rows - 1))
    at_places = [parts for parts, fixed in zip(found, is_fixed, strict=True) if fixed]
    fixed = tuple(zip(at_places, chances(counts[is_fixed]).tolist(), strict=True))
    elsewhere = [parts for parts, fixed in zip(found, is_fixed, strict=True) if not fixed]
    moving = torch.cat([torch.zeros(0, dtype=torch.long), *elsewhere])
    chance = len(patches.row[moving].unique()) / num_rows
    wide, sightings = widened(donors, patches.values.shape[2:]), sightings_of(dataset, reviewed, patches, moving)
    num_pixels = reviewed.x.shape[2] * reviewed.x.shape[3]
    is_small = patches.mask.any(dim=1).flatten(1).sum(dim=1) < LEAST_BIG * num_pixels
    return PixelCues(patches, donors, wide, fixed, moving, chance, _extents(patches.mask), is_small, sightings)


def with_pixels_moved(
    batch: Batch,
    cues: PixelCues,
    own: Bool[Tensor, " batch channel height width"],
    generator: torch.Generator,
    *,
    left: Bool[Tensor, " batch channel height width"] | None = None,
) -> Batch:
    """The batch with its own cues replaced, and with marked content or other images' content at drawn places.

    Half of the pasted patches are marked content, half are other images' content of the same form, so that neither the
    cue nor a trace of pasting predicts the label. Labels stay unchanged.

    Args:
        own: what the images themselves have marked.
        left: where of this nothing is replaced, although draws are as without it.
    """
    size, draws = len(batch.x), _Draws(generator)
    x = batch.x.clone(memory_format=torch.contiguous_format)
    _replace_own(x, own, cues, draws, left=left)
    cues.sightings.take_out(x, batch.index, cues.wide_donors, generator)
    if cues.fixed:
        _put(x, cues, _at_fixed_places(cues, size, draws), draws)
    if len(cues.moving):
        _put(x, cues, _moved(cues, size, x.shape[2:], draws), draws)
    return replace(batch, x=x)


def _replace_own(x: Tensor, own: Tensor, cues: PixelCues, draws: "_Draws", *, left: Tensor | None) -> None:
    """Put other images' content where the images themselves are marked, in place."""
    rows = own.flatten(1).any(dim=1).nonzero().flatten()
    if not len(rows):
        return
    donors = cues.donors[draws.below(len(cues.donors), len(rows))].to(x)
    rows_there = rows.to(x.device)
    replaced = own[rows] if left is None else own[rows] & ~left[rows]
    x[rows_there] = torch.where(replaced.to(x.device), donors, x[rows_there])


class _Pastes(NamedTuple):
    """Which parts are pasted into which images, and where."""

    image: Int[Tensor, " pasted"]
    part: Int[Tensor, " pasted"]
    corner: Int[Tensor, " pasted two"]
    is_cue: Bool[Tensor, " pasted"]
    """True for the part's own content, False for another image's."""
    is_mirrored: Bool[Tensor, " pasted"]


def _at_fixed_places(cues: PixelCues, size: int, draws: "_Draws") -> _Pastes:
    """A paste at each fixed place; half of the images get all parts from one reviewed row."""
    lead = cues.patches.row[draws.below(len(cues.patches), size)]
    is_joint, is_marked_content = draws.chance(0.5, size), draws.chance(0.5, size)
    image, part, is_cue = [], [], []
    for parts, chance in cues.fixed:
        given = draws.chance(chance, size).nonzero().flatten()
        drawn = parts[draws.below(len(parts), len(given))]
        image.append(given)
        part.append(_of_lead(cues.patches, parts, lead[given], drawn, is_joint[given]))
        is_cue.append(torch.where(is_joint[given], is_marked_content[given], draws.chance(0.5, len(given))))
    parts = torch.cat(part)
    return _Pastes(
        torch.cat(image), parts, cues.patches.corner[parts], torch.cat(is_cue), torch.zeros_like(parts).bool()
    )


def _moved(cues: PixelCues, size: int, whole: torch.Size, draws: "_Draws") -> _Pastes:
    """Patches of moving cues: half stay in place; of the others, small ones go anywhere in the image."""
    given = draws.chance(cues.moving_chance, NUM_MOVED * size).nonzero().flatten()
    part = cues.moving[draws.below(len(cues.moving), len(given))]
    room = (torch.tensor(whole) - cues.extent[part] + 1).clamp_min(1)
    anywhere = (draws.uniform(len(part), 2) * room).long() - MARGIN
    moves = cues.is_small[part] & draws.chance(0.5, len(part))
    corner = torch.where(moves[:, None], anywhere, cues.patches.corner[part])
    return _Pastes(
        given % size, part, corner, draws.chance(0.5, len(part)), cues.is_small[part] & draws.chance(0.5, len(part))
    )


class _Draws:
    """Random draws from one generator, on the CPU."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def below(self, end: int, count: int) -> Int[Tensor, " count"]:
        return torch.randint(end, (count,), generator=self.generator)

    def chance(self, share: float, count: int) -> Bool[Tensor, " count"]:
        return torch.rand(count, generator=self.generator) < share

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.generator)


def _of_lead(patches: Patches, parts: Tensor, lead: Tensor, part: Tensor, is_joint: Tensor) -> Tensor:
    """The lead row's part at this place if it has one and all parts are to come from one row; otherwise ``part``."""
    is_lead = patches.row[parts][None] == lead[:, None]
    of_lead = parts[is_lead.float().argmax(dim=1)]
    return torch.where(is_joint & is_lead.any(dim=1), of_lead, part)


def _put(x: Tensor, cues: PixelCues, pastes: _Pastes, draws: _Draws) -> None:
    part, count = pastes.part, len(pastes.part)
    values, soft, hard = cues.patches.values[part], cues.patches.soft[part], cues.patches.mask[part].to(x)
    share = torch.where(draws.chance(0.5, count)[:, None, None, None], soft, hard)
    turned = pastes.is_mirrored.nonzero().flatten()
    if len(turned):
        values, share = values.clone(), share.clone()
        values[turned] = _mirrored(values[turned], cues.extent[part[turned], 1])
        share[turned] = _mirrored(share[turned], cues.extent[part[turned], 1])
    others = (~pastes.is_cue).nonzero().flatten()
    donor = draws.below(len(cues.donors), len(others))
    values = values.index_copy(0, others, windows(cues.wide_donors, donor, pastes.corner[others], values.shape[2:]))
    paste(x, pastes.image, pastes.corner, values, share)


def _mirrored(values: Float[Tensor, " part channel rows columns"], width: Int[Tensor, " part"]) -> Tensor:
    """The patches mirrored left to right within the mask's box, which begins after the margin."""
    source = (width[:, None] + 2 * MARGIN - 1 - torch.arange(values.shape[3])).clamp(0, values.shape[3] - 1)
    return values.gather(3, source[:, None, None].expand_as(values))


def _extents(mask: Bool[Tensor, " part channel rows columns"]) -> Int[Tensor, " part two"]:
    """Height and width of each mask's box, which begins after the margin."""
    plane = mask.any(dim=1)
    lines = (plane.any(dim=2), plane.any(dim=1))
    return torch.stack([(line * torch.arange(line.shape[1])).amax(dim=1) for line in lines], dim=1) + 1 - MARGIN
