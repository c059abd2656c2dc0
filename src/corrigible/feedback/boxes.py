"""A rectangle in pixels as a region; it loads no PyTorch."""

import numpy as np

from corrigible.errors import FeedbackError
from corrigible.said import Pixels


def box_region(box: tuple[int, int, int, int], shape: tuple[int, ...]) -> Pixels:
    """The region of a rectangle: top, left, height and width in pixels, of images of the shape (…, height, width).

    Raises:
        FeedbackError: rows that are no images, or a rectangle that does not lie inside of them.
    """
    top, left, height, width = box
    if len(shape) != 3:
        raise FeedbackError(f"box {box} for rows of shape {shape}, which are no images; mark other inputs")
    inside = min(top, left) >= 0 and top + height <= shape[1] and left + width <= shape[2]
    if not inside or min(height, width) < 1:
        raise FeedbackError(
            f"box {box} (top, left, height, width) does not lie inside images of {shape[1]} × {shape[2]} pixels "
            "(height × width)"
        )
    mask = np.zeros(shape[1:], dtype=bool)
    mask[top : top + height, left : left + width] = True
    return Pixels(mask)
