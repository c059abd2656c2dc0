"""Marks on pixels, transferred to the coarser map of a layer."""

from functools import lru_cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d, interpolate

from corrigible.explanations.marks.shares import share_on


def weights_on(
    marked: Bool[Tensor, " batch channel height width"], like: Float[Tensor, " batch 1 map_height map_width"]
) -> tuple[Float[Tensor, " batch 1 map_height map_width"], Float[Tensor, " 1 1 map_height map_width"]]:
    """How much each cell of a map contributes to marked pixels, and to all pixels, in its bilinear enlargement.

    Enlarging is linear: the sum of a map under these weights equals the sum of its enlargement over the (marked)
    pixels, averaged over channels. Transferring the marks is much cheaper than enlarging maps, which need gradients.
    """
    (height, width), (map_height, map_width) = marked.shape[2:], like.shape[2:]
    down, across = _enlarging(map_height, height).to(like), _enlarging(map_width, width).to(like)
    on_marked = down @ marked.to(like.dtype).mean(dim=1) @ across.T
    on_all = down.sum(dim=1)[:, None] * across.sum(dim=1)
    return on_marked[:, None], on_all[None, None]


def map_share_on(
    heat: Float[Tensor, " batch 1 map_height map_width"], marked: Bool[Tensor, " batch channel height width"]
) -> Float[Tensor, " batch"]:
    """The share of a map, at least 0, that lies on marked pixels once it is enlarged; 0 if the map is 0 everywhere."""
    on_marked, on_all = weights_on(marked, heat)
    return share_on(heat * on_all, on_marked / on_all.clamp_min(1e-12))


def cells_touched(
    marked: Bool[Tensor, " batch channel height width"], size: tuple[int, int]
) -> Bool[Tensor, " batch 1 map_height map_width"]:
    """True for every cell of a map of this size that holds a marked pixel in any channel; no mark is lost."""
    return adaptive_max_pool2d(marked.any(dim=1, keepdim=True).float(), size) > 0


@lru_cache(maxsize=32)
def _enlarging(cells: int, pixels: int) -> Float[Tensor, " cell pixel"]:
    """The weight of each cell at each pixel when a line of cells is enlarged to a line of pixels."""
    one_each = torch.eye(cells, dtype=torch.float64)[None]
    return interpolate(one_each, size=pixels, mode="linear", align_corners=False)[0]
