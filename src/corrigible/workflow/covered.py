"""How images are covered, patch by patch, for the maps that people read."""

from typing import Any

from torch import Tensor

PATCHES_ACROSS = 7
"""How many patches that do not overlap cover an image from side to side."""


def covering(x: Tensor) -> dict[str, Any]:
    """The settings with which patches of images, (row, channel, height, width) or without channels, are covered."""
    patch = patch_of(x)
    middle = x.flatten(2).transpose(0, 1).flatten(1).median(dim=1).values if x.ndim == 4 else x.median()
    cover = middle.view(-1, 1, 1).expand(x.shape[1:]) if x.ndim == 4 else float(middle)
    return {"patch": patch, "stride": max(patch // 2, 1), "baseline": cover}


def patch_of(x: Tensor) -> int:
    """The side of a patch, in pixels."""
    return max(1, min(x.shape[-2:]) // PATCHES_ACROSS)
