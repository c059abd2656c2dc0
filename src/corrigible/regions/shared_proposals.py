"""Proposals that many rows share: one click marks the region on all of them."""

from collections.abc import Sequence

import numpy as np

from corrigible.types import Features, Phrase, Pixels, Proposal

FEWEST_ROWS = 3
OVERLAP = 0.5
"""Masks are of one place if they share this part of what either covers; a pixel is in if so many of them have it."""


def shared_proposals(found: Sequence[Sequence[Proposal]], *, fewest: int = FEWEST_ROWS) -> list[Proposal]:
    """Regions that are among the proposals of several rows, those of the most rows first.

    Masks count as one region where they cover nearly the same place; the shared region is what half of them cover.

    Args:
        found: the proposals of each row, the most important first.
        fewest: least number of rows that share a region.
    """
    groups: list[list[Proposal]] = []
    for of_row in found:
        for proposal in of_row:
            group = next((group for group in groups if is_shared(group[0], proposal)), None)
            if group is None:
                groups.append([proposal])
            else:
                group.append(proposal)
    shared = [_joined(group) for group in groups if len({one.rows for one in group}) >= fewest]
    return sorted(shared, key=lambda one: (-len(one.rows), -one.share))


def is_shared(one: Proposal, other: Proposal) -> bool:
    """Whether both propose one region: the same feature or words, or masks of nearly the same place."""
    first, second = one.region, other.region
    if not isinstance(first, Pixels) or not isinstance(second, Pixels):
        return first == second
    # Masks whose areas differ by more cannot overlap so far; most pairs end here.
    if first.mask.shape != second.mask.shape or min(one.area, other.area) < OVERLAP * max(one.area, other.area):
        return False
    shared, either = int((first.mask & second.mask).sum()), int((first.mask | second.mask).sum())
    return shared >= OVERLAP * either


def _joined(group: Sequence[Proposal]) -> Proposal:
    region: Features | Phrase | Pixels = group[0].region
    area = float(np.mean([one.area for one in group]))
    if isinstance(region, Pixels):
        covered = np.mean([one.region.mask for one in group if isinstance(one.region, Pixels)], axis=0) >= OVERLAP
        region, area = Pixels(covered), float(covered.mean())
    rows = tuple(sorted({row for one in group for row in one.rows}))
    effects = [one.effect for one in group if one.effect is not None]
    effect = float(np.mean(effects)) if effects else None
    return Proposal(region, float(np.mean([one.share for one in group])), area, rows, effect, group[0].method)
