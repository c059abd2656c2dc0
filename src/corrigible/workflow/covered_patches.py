"""Maps of images that a person can read: how far the score drops when a patch is covered."""

from typing import Any

from jaxtyping import Int
from torch import Tensor, nn

from corrigible.data.dataset import TensorData, task_of
from corrigible.data.protocol import columns_of
from corrigible.explanations.explaining import explain

PATCHES_ACROSS = 7
"""How many patches that do not overlap cover an image from side to side."""


def are_images(rows: TensorData) -> bool:
    return columns_of(rows) is None and rows.tokens is None and rows.x.ndim in (3, 4)


def patch_of(x: Tensor) -> int:
    """The side of a patch, in pixels."""
    return max(1, min(x.shape[-2:]) // PATCHES_ACROSS)


def covering(x: Tensor) -> dict[str, Any]:
    """The settings with which patches of images, (row, channel, height, width) or without channels, are covered."""
    patch = patch_of(x)
    middle = x.flatten(2).transpose(0, 1).flatten(1).median(dim=1).values if x.ndim == 4 else x.median()
    cover = middle.view(-1, 1, 1).expand(x.shape[1:]) if x.ndim == 4 else float(middle)
    return {"patch": patch, "stride": max(patch // 2, 1), "baseline": cover}


def patch_maps(model: nn.Module, rows: TensorData, target: Int[Tensor, " row"], seed: int) -> Tensor:
    """A map for each image, by occlusion with patches of the middle colour of these rows."""
    return explain(model, rows.x, target, method="occlusion", task=task_of(rows), seed=seed, **covering(rows.x))
