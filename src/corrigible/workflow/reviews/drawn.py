"""Pictures, maps and segments of images, as PNG files."""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from corrigible.data.dataset import rows_of
from corrigible.data.image_decoding import damage_ignored, decoded, plain
from corrigible.data.image_masks import images_of
from corrigible.data.image_names import path_inside
from corrigible.pictures import brightness_of, channels_of, diverging, shades
from corrigible.regions.segmentations import segments_of
from corrigible.workflow.reviews.subject import Subject

LONGEST_SIDE, THUMB = 1024, 96
"""Of a picture and of a small one, in pixels."""
FULL_AT = 8
"""How many times its average a pixel has the full colour: the same in every picture, so that colours compare."""
NUM_SAMPLED = 64
"""Rows that are not forgotten, from which it is learned which values are black and white."""


def picture(subject: Subject, split: str, row: int, *, longest: int = LONGEST_SIDE) -> bytes:
    """The image of the row: a file in its own colours, tensors from the darkest to the brightest value.

    A picture with a longer side is made smaller.
    """
    images = images_of(subject.data[split])
    if images is not None:
        path = path_inside(images.folder, images.files[row])
        with damage_ignored():
            found = plain(decoded(path), path)
        found = _of_eight_bits(found).convert("RGB")
    else:
        x = channels_of(subject.rows(split, [row]).x[0])
        found = Image.fromarray(shades(x, brightness=_brightness(subject)))
    if max(found.size) > longest:
        found.thumbnail((longest, longest))
    return _png(found)


def attribution_map(subject: Subject, split: str, row: int, method: str) -> bytes:
    """The attribution of the row as a picture of the input's size: red raises the score, blue lowers it.

    Opaque where it is strong.
    """
    values = subject.attribution(subject.rows(split, [row]), subject.known_method(method))[0]
    return map_png(values)


def map_png(attribution: Tensor) -> bytes:
    """One attribution of an image, summed over channels; full colour from ``FULL_AT`` times its average pixel on."""
    plane = channels_of(attribution.float()).sum(dim=0).numpy()
    sizes = np.abs(plane)
    opacity = np.clip(sizes / (FULL_AT * (sizes.mean() or 1.0)), 0, 1)
    # The full colour everywhere: how strong it is, the opacity says.
    colours = diverging(np.sign(plane), limit=1.0)
    return _png(Image.fromarray(np.dstack([colours, (opacity * 255).round().astype(np.uint8)]), mode="RGBA"))


def segments(subject: Subject, split: str, row: int) -> bytes:
    """The number of each pixel's segment: red plus 256 times green."""
    found = segments_of(channels_of(subject.rows(split, [row]).x[0])).numpy()
    blue = np.zeros_like(found)
    return _png(Image.fromarray(np.dstack([found % 256, found // 256, blue]).astype(np.uint8)))


def _brightness(subject: Subject) -> tuple[float, float]:
    """The values that are drawn black and white, the same for all rows."""
    known = subject.kept.get("brightness")
    if known is None:
        places = subject.places_learned
        index = torch.linspace(0, len(places) - 1, min(NUM_SAMPLED, len(places))).round().long().unique()
        known = brightness_of([rows_of(subject.first, places[index]).x])
        subject.kept["brightness"] = known
    found: tuple[float, float] = known
    return found


def _of_eight_bits(found: Image.Image) -> Image.Image:
    if found.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(found) >> 8).astype(np.uint8))
    return found


def _png(found: Image.Image) -> bytes:
    written = io.BytesIO()
    found.save(written, format="PNG")
    return written.getvalue()
