"""Marks on pixels, brought to the coarser map of a layer."""

from functools import lru_cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d, interpolate

from corrigible.explanations.marks.shares import share_on


def weights_on(
    marked: Bool[Tensor, " batch channel height width"], like: Float[Tensor, " batch 1 map_height map_width"]
) -> tuple[Float[Tensor, " batch 1 map_height map_width"], Float[Tensor, " 1 1 map_height map_width"]]:
    """How much each cell of a map puts on marked pixels, and on all, once it is enlarged to the pixels bilinearly.

    Enlarging is linear: a map summed with these weights is its enlargement summed over the (marked) pixels, in the
    mean over channels. Enlarging the marks' way back is much cheaper than enlarging the maps, which need gradients.
    """
    (height, width), (map_height, map_width) = marked.shape[2:], like.shape[2:]
    down, across = _enlarging(map_height, height).to(like), _enlarging(map_width, width).to(like)
    on_marked = down @ marked.to(like.dtype).mean(dim=1) @ across.T
    on_all = down.sum(dim=1)[:, None] * across.sum(dim=1)
    return on_marked[:, None], on_all[None, None]


def map_share_on(
    heat: Float[Tensor, " batch 1 map_height map_width"], marked: Bool[Tensor, " batch channel height width"]
) -> Float[Tensor, " batch"]:
    """The share of a map of at least 0 that lies on marked pixels, once it is enlarged; 0 where the map is 0."""
    on_marked, on_all = weights_on(marked, heat)
    return share_on(heat * on_all, on_marked / on_all.clamp_min(1e-12))


def cells_touched(
    marked: Bool[Tensor, " batch channel height width"], size: tuple[int, int]
) -> Bool[Tensor, " batch 1 map_height map_width"]:
    """True for every cell of a map of this size into which a marked pixel of any channel falls; none is lost."""
    return adaptive_max_pool2d(marked.any(dim=1, keepdim=True).float(), size) > 0


@lru_cache(maxsize=32)
def _enlarging(cells: int, pixels: int) -> Float[Tensor, " cell pixel"]:
    """What one cell of a row of cells gives to each pixel."""
    one_each = torch.eye(cells, dtype=torch.float64)[None]
    return interpolate(one_each, size=pixels, mode="linear", align_corners=False)[0]
