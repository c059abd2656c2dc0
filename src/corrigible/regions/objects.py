"""Segments that lie inside of one object, as a segmentation model of the user finds it, are one proposal."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from corrigible.errors import DataError
from corrigible.named_functions import function_named

Segmenter = Callable[[Tensor], Any]
"""(channel, height, width) -> masks (object, height, width), or boxes (object, 4) of top, left, height and width."""
INSIDE = 0.5
"""A segment is inside of an object if this share of it is."""


def merged(
    masks: Sequence[Bool[Tensor, " height width"]], x: Float[Tensor, " channel height width"], objects: str | Segmenter
) -> list[Bool[Tensor, " height width"]]:
    """The segments, those inside of one object joined, at the place of the first of them.

    A segment inside of several objects belongs to the smallest.

    Raises:
        RecipeError: there is no such function.
        DataError: its result has another form.
    """
    segmenter = function_named(objects, "segmentation model") if isinstance(objects, str) else objects
    found = sorted(object_masks(segmenter(x), tuple(x.shape[1:])), key=lambda mask: int(mask.sum()))
    joined: dict[int, Tensor] = {}
    for place, mask in enumerate(masks):
        inside = (number for number, one in enumerate(found) if int((mask & one).sum()) >= INSIDE * int(mask.sum()))
        key = next(inside, -1 - place)
        joined[key] = joined[key] | mask if key in joined else mask
    return list(joined.values())


def object_masks(found: Any, shape: tuple[int, ...]) -> list[Bool[Tensor, " height width"]]:
    """The masks of the objects in an image of this (height, width), given as masks or as boxes.

    Raises:
        DataError: something else.
    """
    given = torch.as_tensor(found).cpu()
    if given.dtype == torch.bool and given.ndim == 3 and tuple(given.shape[1:]) == shape:
        return list(given)
    if given.numel() == 0:
        return []
    if given.dtype == torch.bool or given.ndim != 2 or given.shape[1] != 4:
        raise DataError(
            f"the segmentation model gives shape {tuple(given.shape)} of {given.dtype}; expected booleans of shape "
            f"(object, {shape[0]}, {shape[1]}), or boxes (object, 4) of top, left, height and width"
        )
    masks = []
    for top, left, height, width in given.round().long().tolist():
        mask = torch.zeros(shape, dtype=torch.bool)
        mask[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)] = True
        masks.append(mask)
    return masks
