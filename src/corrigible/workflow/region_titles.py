"""Regions in words that people understand: where in the picture, which feature, which words."""

import numpy as np
from numpy.typing import NDArray

from corrigible.data.shown_names import Labels, in_words
from corrigible.said import Features, Phrase, Region

MOST = 0.5
"""A region that covers more than this share of a picture is most of it."""


def region_title(region: Region, labels: Labels) -> str:
    """What the region is: "lower left corner", a feature by its name, “words”, or "word 3".

    Args:
        labels: a person's words for the names of features.
    """
    if isinstance(region, Features):
        return ", ".join(in_words(name, labels) for name in region.names)
    if isinstance(region, Phrase):
        return f"“{' '.join(region.words)}”"
    if region.mask.ndim == 1:
        return "word " + ", ".join(str(place + 1) for place in np.flatnonzero(region.mask).tolist())
    return place_title(np.logical_or.reduce(region.mask.reshape(-1, *region.mask.shape[-2:])))


def place_title(mask: NDArray[np.bool_]) -> str:
    """Where a mask of shape (height, width) lies: by its middle, or as a corner if it is small and begins in one."""
    if mask.mean() > MOST:
        return "most of the picture"
    down, across = (float(places.mean()) / size for places, size in zip(mask.nonzero(), mask.shape, strict=True))
    level = "upper" if down < 1 / 3 else "lower" if down > 2 / 3 else "middle"
    side = "left" if across < 1 / 3 else "right" if across > 2 / 3 else "centre"
    if (level, side) == ("middle", "centre"):
        return "centre"
    return f"{level} {side}{' corner' if _is_corner(mask) else ''}"


def _is_corner(mask: NDArray[np.bool_]) -> bool:
    """Whether the mask lies within a third of the picture from a corner, both ways, and reaches both edges there."""
    for places, size in zip(mask.nonzero(), mask.shape, strict=True):
        first, last = int(places.min()), int(places.max())
        if not (first == 0 and last < size / 3) and not (last == size - 1 and first >= 2 * size / 3):
            return False
    return True
