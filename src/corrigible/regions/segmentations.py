"""Images cut into segments of one colour: what one click on a picture marks."""

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from skimage.measure import label as connected
from skimage.segmentation import felzenszwalb, slic
from torch import Tensor

NUM_SEGMENTS = 50
"""Approximate number of superpixels of one image."""
COMPACTNESS, LIGHTNESS = 10.0, 100
"""Importance of place beside colour, for colours in Lab; and the range of their lightness, other values' being 1."""
LEAST_PIXELS = 3
"""A superpixel has at least as many pixels on average, so that very small images are cut into fewer."""
LEAST_SHARE_OF_MEAN = 0.2
"""A superpixel below this share of the mean size joins a neighbour: less than usual, so that small patches stay."""
FLATNESS, PIECES = 50, 2500
"""How much a flat piece may vary, and the least size of one: one of so many parts of the image, at least 4 pixels."""


def segments_of(x: Float[Tensor, " channel height width"]) -> Int[Tensor, " height width"]:
    """The number of the superpixel in which each pixel lies, from 0; each is connected.

    SLIC (Achanta et al. 2012) of the image in its own colours, in about 50 superpixels. The same image gives the same.
    """
    image, is_colour = _as_picture(x)
    number = max(1, min(NUM_SEGMENTS, image.shape[0] * image.shape[1] // LEAST_PIXELS))
    compactness = COMPACTNESS if is_colour else COMPACTNESS / LIGHTNESS
    found = slic(
        image,
        number,
        compactness,
        start_label=0,
        channel_axis=-1,
        convert2lab=is_colour,
        min_size_factor=LEAST_SHARE_OF_MEAN,
    )
    return _numbered(found)


def flat_pieces_of(x: Float[Tensor, " channel height width"]) -> Int[Tensor, " height width"]:
    """The number of the piece of nearly one colour in which each pixel lies, from 0; each is connected.

    Felzenszwalb and Huttenlocher 2004, Efficient graph-based image segmentation: pieces are as large as their colour
    reaches, so a small patch is a piece of its own, which superpixels of one size may swallow.
    """
    image, _ = _as_picture(x)
    least = max(4, image.shape[0] * image.shape[1] // PIECES)
    return _numbered(felzenszwalb(image, scale=FLATNESS, sigma=0, min_size=least, channel_axis=-1))


def _as_picture(x: Tensor) -> tuple[NDArray[np.float64], bool]:
    """(height, width, channel) from 0 to 1, and whether these are colours."""
    image = x.detach().cpu().double().permute(1, 2, 0).contiguous().numpy()
    low, high = image.min(), image.max()
    return (image - low) / (high - low if high > low else 1.0), image.shape[2] == 3


def _numbered(labels: NDArray[np.int64]) -> Int[Tensor, " height width"]:
    """The segments, those that fell apart numbered apart."""
    return torch.from_numpy(connected(labels, background=-1, connectivity=1).astype(np.int64) - 1)
