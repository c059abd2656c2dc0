"""What was marked in images, pasted onto other images and taken out where it is known to be."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from corrigible.augment.chances import chances
from corrigible.augment.patches import Patches, cut_out, paste, places, widened, windows
from corrigible.augment.sightings import Sightings, sightings_of
from corrigible.data.dataset import Dataset
from corrigible.types import Batch

FIXED_SHARE = 0.15
"""Of the reviewed rows: a place that is marked on as many is the cue's own; a cue marked elsewhere moves about."""
NUM_MOVED = 2
"""Patches of a moving cue that a label row gets at most."""
LEAST_BIG = 0.1
"""Share of the image from which a part is not mirrored or moved."""


@dataclass(frozen=True)
class PixelCues:
    """The marked parts of images."""

    patches: Patches
    donors: Float[Tensor, " donor channel height width"]
    """Images drawn from the training data."""
    wide_donors: Float[Tensor, " donor channel rows columns"]
    """The same with room around them for a patch."""
    fixed: tuple[tuple[Int[Tensor, " part"], float], ...]
    """The parts at each place that many rows mark, and how often a label row gets one."""
    moving: Int[Tensor, " part"]
    """All other parts."""
    moving_chance: float
    sightings: Sightings
    """Where the marked content was found on rows that nobody marked."""


def pixel_cues(dataset: Dataset, reviewed: Batch, donors: Float[Tensor, " donor *input"]) -> PixelCues:
    """The parts marked on these rows; a place that several rows mark is the cue's own.

    What is marked elsewhere on each row is looked for on all other rows of the data set (`sightings_of`).
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
    return PixelCues(patches, donors, wide, fixed, moving, chance, sightings)


def with_pixels_moved(
    batch: Batch, cues: PixelCues, own: Bool[Tensor, " batch channel height width"], generator: torch.Generator
) -> Batch:
    """The batch with its own cues replaced, and with marked content or other images' content at drawn places.

    Half of what is pasted is marked content, half of it other images' content of the same form, so that neither the
    cue nor a trace of pasting tells the label. Labels stay.
    """
    size, draws = len(batch.x), _Draws(generator)
    x = batch.x
    if bool(own.any()):
        x = torch.where(own.to(x.device), cues.donors[draws.below(len(cues.donors), size)].to(x), x)
    x = cues.sightings.replaced(x, batch.index, cues.wide_donors, generator)
    if cues.fixed:
        x = _pasted(x, cues, _at_fixed_places(cues, size, draws), draws)
    for _ in range(NUM_MOVED if len(cues.moving) else 0):
        x = _pasted(x, cues, _moved(cues, size, x.shape[2:], draws), draws)
    return replace(batch, x=x)


class _Pastes(NamedTuple):
    """What goes where."""

    image: Int[Tensor, " pasted"]
    part: Int[Tensor, " pasted"]
    corner: Int[Tensor, " pasted two"]
    is_cue: Bool[Tensor, " pasted"]
    """The part's own content; else another image's."""
    is_mirrored: Bool[Tensor, " pasted"]


def _at_fixed_places(cues: PixelCues, size: int, draws: "_Draws") -> _Pastes:
    """At each fixed place something; half of the images get all parts from one reviewed row."""
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
    given = draws.chance(cues.moving_chance, size).nonzero().flatten()
    part = cues.moving[draws.below(len(cues.moving), len(given))]
    corner = _drawn_corners(cues.patches, part, whole, draws)
    return _Pastes(given, part, corner, draws.chance(0.5, len(given)), draws.chance(0.5, len(given)))


class _Draws:
    """Draws from one generator, on the CPU."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def below(self, end: int, count: int) -> Int[Tensor, " count"]:
        return torch.randint(end, (count,), generator=self.generator)

    def chance(self, share: float, count: int) -> Bool[Tensor, " count"]:
        return torch.rand(count, generator=self.generator) < share

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.generator)


def _of_lead(patches: Patches, parts: Tensor, lead: Tensor, part: Tensor, is_joint: Tensor) -> Tensor:
    """The lead row's part at this place where it has one and all parts shall come from one row."""
    is_lead = patches.row[parts][None] == lead[:, None]
    of_lead = parts[is_lead.float().argmax(dim=1)]
    return torch.where(is_joint & is_lead.any(dim=1), of_lead, part)


def _pasted(x: Tensor, cues: PixelCues, pastes: _Pastes, draws: _Draws) -> Tensor:
    patches, count = cues.patches, len(pastes.part)
    values, soft, hard = (each[pastes.part] for each in (patches.values, patches.soft, patches.mask.float()))
    share = torch.where(draws.chance(0.5, count)[:, None, None, None], soft, hard)
    donor = draws.below(len(cues.donors), count)
    others = windows(cues.wide_donors, donor, pastes.corner, values.shape[2:])
    if bool(pastes.is_mirrored.any()):
        values, share = (
            torch.where(pastes.is_mirrored[:, None, None, None], _mirrored(part, hard), part)
            for part in (values, share)
        )
    return paste(x, pastes.image, pastes.corner, torch.where(pastes.is_cue[:, None, None, None], values, others), share)


def _mirrored(values: Tensor, mask: Tensor) -> Tensor:
    """Left for right, the mask where it was."""
    lines = mask.any(dim=(1, 2))
    last = _extent(lines)
    place = torch.arange(values.shape[3])
    source = (last[:, None] + 1 - place).clamp(0, values.shape[3] - 1)
    return values.gather(3, source[:, None, None].expand_as(values))


def _drawn_corners(patches: Patches, part: Tensor, whole: torch.Size, draws: _Draws) -> Int[Tensor, " part two"]:
    """Half of the patches stay where they were, small ones of the others go anywhere in the image."""
    corner, mask = patches.corner[part], patches.mask[part].any(dim=1)
    is_small = mask.flatten(1).sum(dim=1) < LEAST_BIG * whole[0] * whole[1]
    extent = torch.stack([_extent(mask.any(dim=2)), _extent(mask.any(dim=1))], dim=1)
    room = (torch.tensor(whole) - extent + 1).clamp_min(1)
    anywhere = (draws.uniform(len(part), 2) * room).long() - 1
    moves = is_small & draws.chance(0.5, len(part))
    return torch.where(moves[:, None], anywhere, corner)


def _extent(lines: Bool[Tensor, " part line"]) -> Int[Tensor, " part"]:
    """How many lines lie between the first and the last marked one, both included; the first is line 1."""
    numbers = torch.arange(lines.shape[1])
    return (lines * numbers).amax(dim=1)
