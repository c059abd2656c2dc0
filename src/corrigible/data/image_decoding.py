"""Open image files as cameras and computers write them: one upright picture per file, within bounded memory."""

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageOps

from corrigible.errors import DataError
from corrigible.files import MOST_ROWS, opened

SUFFIXES = (".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp")
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
"""What is decoded, whatever a file's suffix says; pictures of cameras with previews (MPO) are JPEG files."""
MOST_BYTES = 640 * 2**20
"""Memory that decoding one file may take."""
LARGEST_VALUE = {"1": 1, "L": 255, "LA": 255, "RGB": 255, "RGBA": 255, "I;16": 2**16 - 1, "I;16B": 2**16 - 1}
"""The value of white, for each kind of pixels that is read as it is."""
_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}
_OF_WEBP, _OF_PROGRESSIVE_JPEG = 16, 6
"""Further bytes per pixel that a decoder itself takes."""
_ORIENTATION = 0x0112


@contextmanager
def opened_image(path: Path) -> Iterator[Image.Image]:
    """The open image file, not decoded; any error about it becomes a one-line message that names it.

    Raises:
        DataError: a file that is missing, broken, not an image, or too large to decode; several pictures in one file.
    """
    try:
        # A file, not its name: by name, Pillow maps the pixels of a TIFF in memory and scrambles turned ones.
        with opened(path, most=MOST_ROWS) as file, Image.open(file, formats=FORMATS) as image:
            _require_one_picture(image, path)
            _require_small(image, path)
            yield image
    except FileNotFoundError as error:
        raise DataError(f"there is no image {path}; it was there when the folder was listed") from error
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise DataError(f"{path} has more than {most:,} pixels; shrink the picture first") from error
    except BROKEN as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} cannot be read as an image ({reason}); replace or remove it") from error


@contextmanager
def damage_ignored() -> Iterator[None]:
    """A context without Pillow's warnings about large pictures, and about damaged notes beside the pixels.

    Many photographs have such damage; damaged pixels are errors. Entered once around many files, because it is no
    context of one thread alone.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def decoded(path: Path) -> Image.Image:
    """The picture as viewers show it; where notes beside the pixels say how a camera was held, turned.

    Raises:
        DataError: see ``opened_image``; a picture that is too large to be turned.
    """
    with opened_image(path) as image:
        image.load()
        if _orientation(image) == 1:
            return image
        _require_small(image, path, copies=2)
        return ImageOps.exif_transpose(image)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Height and width of the picture as viewers show it."""
    # Pillow itself gives the upright size of a TIFF.
    is_on_its_side = image.format != "TIFF" and _orientation(image) >= 5
    return (image.width, image.height) if is_on_its_side else (image.height, image.width)


def plain(image: Image.Image, path: Path) -> Image.Image:
    """The pixels with their palette, colour system or transparent colour resolved.

    Raises:
        DataError: a kind of pixels that has no range, such as floating-point numbers.
    """
    has_transparent_colour = "transparency" in image.info
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if image.mode == "PA" or has_transparent_colour else "RGB")
    if image.mode in ("1", "L", "RGB") and has_transparent_colour:
        return image.convert("RGBA" if image.mode == "RGB" else "LA")
    if image.mode in ("CMYK", "YCbCr", "HSV", "LAB", "RGBX"):
        return image.convert("RGB")
    if image.mode not in LARGEST_VALUE:
        raise DataError(f"{path} holds pixels of kind {image.mode!r}; expected grey or colour of 8 or 16 bits")
    return image


def _orientation(image: Image.Image) -> int:
    """How the camera was held, 1 to 8; 1 for upright, and where the notes say something else."""
    found = image.getexif().get(_ORIENTATION, 1)
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _require_one_picture(image: Image.Image, path: Path) -> None:
    """Raises DataError for an animation or several pages; of a camera's picture with previews the picture counts."""
    count = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if count != 1:
        raise DataError(
            f"{path} holds {count} pictures (frames or pages); expected one per file: save the one that is meant"
        )


def _require_small(image: Image.Image, path: Path, copies: int = 1) -> None:
    """Raises DataError for a picture whose decoding would take too much memory."""
    each = _BYTES.get(image.mode, 4) * copies
    each += _OF_WEBP if image.format == "WEBP" else _OF_PROGRESSIVE_JPEG if "progressive" in image.info else 0
    if image.width * image.height * each > MOST_BYTES:
        most = MOST_BYTES // each // 10**6
        raise DataError(
            f"{path} has {image.width} × {image.height} pixels; expected at most {most} million for such a file, "
            "because it is decoded as a whole: shrink the picture first"
        )


BROKEN = (
    *(OSError, SyntaxError, ValueError, EOFError, TypeError, KeyError, IndexError, OverflowError),
    *(struct.error, zlib.error, MemoryError),
)
"""Errors that the decoders raise."""
