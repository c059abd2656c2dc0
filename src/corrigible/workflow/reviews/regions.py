"""Regions as a page sends and gets them: masks as PNG, features and words by name."""

import base64
import binascii
import io
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corrigible.data.image_decoding import BROKEN, damage_ignored
from corrigible.errors import FeedbackError
from corrigible.said import Features, Phrase, Pixels, Region
from corrigible.strict_json import described
from corrigible.workflow.reviews.asked import numbers_in, object_in, text_in, texts_in

MOST_PNG = 4 * 2**20
"""Most characters of a mask that is sent."""
BEGINS = "data:image/png;base64,"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def region_from(written: Any, shape: tuple[int, ...]) -> Region:
    """The region that a page sent, for inputs of this shape.

    Raises:
        FeedbackError: no region, a mask that is no PNG or of another size than the input, or one that marks nothing.
    """
    written = object_in(written, "region")
    match text_in(written, "type", most=20):
        case "mask":
            return Pixels(mask_from(text_in(written, "png", most=MOST_PNG), shape))
        case "features":
            return Features(_some(texts_in(written, "names"), "names"))
        case "phrase":
            return Phrase(_some(texts_in(written, "words"), "words"))
        case "places":
            return _places(_some(numbers_in(written, "places"), "places"), shape)
        case other:
            raise FeedbackError(f"region has type {described(other)}; expected mask, features, phrase or places")


def region_as_json(region: Region) -> dict[str, Any]:
    """The region in the form that `region_from` reads."""
    if isinstance(region, Features):
        return {"type": "features", "names": list(region.names)}
    if isinstance(region, Phrase):
        return {"type": "phrase", "words": list(region.words)}
    if region.mask.ndim == 1:
        return {"type": "places", "places": np.flatnonzero(region.mask).tolist()}
    return {"type": "mask", "png": mask_url(region.mask)}


def mask_url(mask: NDArray[np.bool_]) -> str:
    """The mask as a PNG inside of a URL: white where it is True; of several channels, where any of them is."""
    return BEGINS + base64.b64encode(mask_png(mask)).decode()


def mask_png(mask: NDArray[np.bool_]) -> bytes:
    """The mask as a PNG file: white where it is True; of several channels, where any of them is."""
    from PIL import Image

    plane = mask.reshape(-1, *mask.shape[-2:]).any(axis=0)
    written = io.BytesIO()
    Image.fromarray(plane.astype(np.uint8) * 255).save(written, format="PNG")
    return written.getvalue()


def mask_from(url: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The mask in a PNG inside of a URL: True where a pixel is neither black nor transparent.

    What the header says of the picture's size is checked before anything is decoded.

    Raises:
        FeedbackError: rows that are no images, no PNG, another size than that of the input, or nothing marked.
    """
    if len(shape) != 3:
        raise FeedbackError("a mask for rows that are no images; mark features or words")
    if not url.startswith(BEGINS):
        raise FeedbackError(f"the mask begins with {url[:30]!r}; expected {BEGINS!r}")
    try:
        written = base64.b64decode(url[len(BEGINS) :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise FeedbackError(f"the mask is not base64 ({error}); expected a PNG picture") from error
    height, width = shape[1:]
    found = _size(written)
    if found != (width, height):
        raise FeedbackError(
            f"the mask has {found[0]} × {found[1]} pixels; expected {width} × {height}, the size of the input"
        )
    marked = _decoded(written)
    if not marked.any():
        raise FeedbackError("the mask marks nothing; draw on the picture, or answer that nothing is wrong")
    return marked


def _size(written: bytes) -> tuple[int, int]:
    """Width and height as the header says."""
    is_png = written[:8] == _SIGNATURE and written[12:16] == b"IHDR" and len(written) >= 33
    if not is_png:
        raise FeedbackError("the mask is not a PNG picture; draw it again")
    width, height = struct.unpack(">II", written[16:24])
    return width, height


def _decoded(written: bytes) -> NDArray[np.bool_]:
    from PIL import Image

    try:
        with damage_ignored(), Image.open(io.BytesIO(written), formats=("PNG",)) as image:
            if getattr(image, "n_frames", 1) != 1:
                raise FeedbackError("the mask is an animation; expected one picture")
            pixels = np.asarray(image.convert("RGBA"))
    except FeedbackError:
        raise
    except BROKEN as error:
        reason = " ".join(str(error).split())
        raise FeedbackError(f"the mask cannot be read ({reason}); draw it again") from error
    marked: NDArray[np.bool_] = (pixels[..., :3] > 0).any(axis=-1) & (pixels[..., 3] > 0)
    return marked


def _some(found: tuple[Any, ...], name: str) -> tuple[Any, ...]:
    if not found:
        raise FeedbackError(f"the region has no {name}; mark something, or answer that nothing is wrong")
    return found


def _places(places: tuple[int, ...], shape: tuple[int, ...]) -> Pixels:
    if len(shape) != 2 or max(places) >= shape[0]:
        raise FeedbackError(f"place {max(places)} of a word; expected texts of {shape[0] if shape else 0} words")
    return Pixels(np.isin(np.arange(shape[0]), places))


def region_in_words(region: Region, titles: Mapping[str, str]) -> str:
    """The region for people to read.

    Args:
        titles: words for the names of features.
    """
    if isinstance(region, Features):
        return ", ".join(titles.get(name, name) for name in region.names)
    if isinstance(region, Phrase):
        return f"“{' '.join(region.words)}”"
    share = float(region.mask.mean())
    if region.mask.ndim == 1:
        return f"{int(region.mask.sum())} marked words"
    return f"{100 * share:.1f}\u00a0% of the picture" if share >= 0.001 else f"{int(region.mask.sum())} pixels"
