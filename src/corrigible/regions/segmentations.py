"""Images cut into segments of one colour, coarse to fine: what a click on a picture marks."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.ndimage import label as connected
from skimage.segmentation import slic
from torch import Tensor

NUM_SEGMENTS = (25, 50, 100)
"""Approximate numbers of segments of one image."""
COMPACTNESS = 10.0
"""Importance of place beside colour, for colours in Lab, whose lightness ranges from 0 to 100."""
LIGHTNESS = 100
LEAST_PIXELS = 3.0
"""A segment has at least this many pixels on average, so that very small images are cut into fewer segments."""


def segments_of(x: Float[Tensor, " channel height width"]) -> Int[Tensor, " height width"]:
    """The number of the segment in which each pixel lies, from 0, at a medium coarseness."""
    return next(segmentations_of(x, NUM_SEGMENTS[1:2]))


def segmentations_of(
    x: Float[Tensor, " channel height width"], num_segments: tuple[int, ...] = NUM_SEGMENTS
) -> Iterator[Int[Tensor, " height width"]]:
    """For each approximate number of segments, the number of the segment in which each pixel lies, from 0.

    Superpixels (SLIC; Achanta et al. 2012) of the image in its own colours. Every segment is connected. The same image
    gives the same segments.
    """
    image, is_colour = _as_picture(x)
    most = max(1, int(image.shape[0] * image.shape[1] / LEAST_PIXELS))
    for number in dict.fromkeys(min(number, most) for number in num_segments):
        compactness = COMPACTNESS if is_colour else COMPACTNESS / LIGHTNESS
        found = slic(
            image,
            number,
            compactness,
            start_label=0,
            channel_axis=-1,
            convert2lab=is_colour,
            min_size_factor=0.2,
        )
        yield torch.from_numpy(_connected(found))


def _as_picture(x: Tensor) -> tuple[NDArray[np.float64], bool]:
    """(height, width, channel) from 0 to 1, and whether these are colours."""
    image = x.detach().cpu().double().permute(1, 2, 0).contiguous().numpy()
    low, high = image.min(), image.max()
    return (image - low) / (high - low if high > low else 1.0), image.shape[2] == 3


def _connected(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The segments, those that fell apart numbered apart, from 0."""
    found, count = np.zeros(labels.shape, dtype=np.int64), 0
    for segment in np.unique(labels):
        parts, number = connected(labels == segment)
        found[parts > 0] = parts[parts > 0] + count - 1
        count += number
    return found
