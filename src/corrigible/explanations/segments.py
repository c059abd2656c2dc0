"""From images to groups of pixels, for the explainers that take ``groups``."""

import numpy as np
import torch
from jaxtyping import Float, Int
from skimage.segmentation import slic
from torch import Tensor

from corrigible.errors import RecipeError

LIGHTNESS = 100
"""Range of lightness in Lab, in which images of three channels are compared; other values range from 0 to 1."""


def grid_segments(
    x: Float[Tensor, " batch channel height width"], size: int = 4
) -> Int[Tensor, " channel height width"]:
    """The number of the square in which each pixel lies, the same in all channels and for all images.

    Squares are numbered row by row from the upper left corner; those at the right and lower edge may be cut off.

    Args:
        size: side of a square in pixels.

    Raises:
        RecipeError: a size below 1.
    """
    _check("size", size)
    _, channels, height, width = x.shape
    down, across = (torch.arange(side, device=x.device) // size for side in (height, width))
    return (down[:, None] * -(-width // size) + across).expand(channels, height, width)


def slic_segments(
    x: Float[Tensor, " batch channel height width"], num_segments: int = 50, compactness: float = 10.0
) -> Int[Tensor, " batch channel height width"]:
    """The number of the superpixel in which each pixel lies, from 0 for each image, the same in all channels.

    Achanta et al. 2012, SLIC superpixels compared to state-of-the-art superpixel methods: k-means of colour and place,
    from a regular grid of centres. Each image is first scaled to the values 0 to 1; images of three channels are
    compared as Lab colours. The result is deterministic, and an image's segments do not depend on the other images.

    Args:
        num_segments: approximate number of segments; images differ.
        compactness: the importance of place relative to colour: 1 follows colours closely, 100 gives squares.
            Superpixels of less than half the mean size join a neighbour, so a noisy image needs more compactness to be
            segmented at all.

    Raises:
        RecipeError: fewer than 1 segment, or a compactness that is not above 0.
    """
    _check("num_segments", num_segments)
    if not compactness > 0:
        raise RecipeError(f"compactness is {compactness}; expected a number above 0, such as 10")
    is_colour = x.shape[1] == 3
    scale = compactness if is_colour else compactness / LIGHTNESS
    images = x.detach().cpu().double().permute(0, 2, 3, 1).contiguous().numpy()
    labels = [
        slic(image, num_segments, scale, start_label=0, channel_axis=-1, convert2lab=is_colour) for image in images
    ]
    return torch.from_numpy(np.stack(labels)).to(x.device)[:, None].expand(x.shape)


def _check(name: str, value: int) -> None:
    if value < 1:
        raise RecipeError(f"{name} is {value}; expected at least 1")
