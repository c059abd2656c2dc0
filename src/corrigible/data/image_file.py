"""Read one image file as a tensor."""

import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn.functional import interpolate

from corrigible.errors import DataError, RecipeError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
GREY_OF_COLOUR = (0.299, 0.587, 0.114)
"""Perceived brightness of red, green and blue (ITU-R BT.601)."""
_LARGEST_VALUE = {"1": 1, "L": 255, "LA": 255, "RGB": 255, "RGBA": 255, "I;16": 2**16 - 1}


@dataclass(frozen=True, kw_only=True)
class ImageForm:
    """The form that images are converted to.

    Raises:
        RecipeError: a setting out of range, or numbers that do not fit the channels.
    """

    size: int | Sequence[int] | None = None
    """Side of a square or (height, width) in pixels, to which images are stretched; None keeps their size."""
    channels: int | None = None
    """1 for grey, 3 for colour, 4 for colour and opacity; None keeps the channels. If opacity is not a channel,
    transparent pixels become black."""
    mean: Sequence[float] = ()
    """Per channel, subtracted from values in [0, 1]; empty for none."""
    std: Sequence[float] = ()
    """Per channel, divides the values after that; empty for none."""

    def __post_init__(self) -> None:
        sides = () if self.size is None else (self.size,) if isinstance(self.size, int) else tuple(self.size)
        if self.size is not None and (len(sides) not in (1, 2) or not all(_is_side(side) for side in sides)):
            raise RecipeError(f"size is {self.size!r}; expected pixels: one number, or [height, width]")
        if self.channels not in (None, 1, 3, 4):
            raise RecipeError(f"channels is {self.channels!r}; expected 1 (grey), 3 (colour) or 4 (colour and opacity)")
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) and (self.channels is None or len(values) != self.channels):
                raise RecipeError(f"{name} is {values!r}; expected one number per channel, and the setting channels")
        if any(not value > 0 for value in self.std):
            raise RecipeError(f"std is {self.std!r}; expected numbers above 0")

    @property
    def shape(self) -> tuple[int, int] | None:
        """Height and width in pixels; None if no size is given."""
        if self.size is None:
            return None
        height, *width = (self.size,) if isinstance(self.size, int) else self.size
        return height, width[0] if width else height


def read_image(path: Path, form: ImageForm) -> Float[Tensor, " channel height width"]:
    """The image in this form, float32; before mean and std are applied its values lie in [0, 1].

    Resizing is bilinear, with smoothing before an image is made smaller.

    Raises:
        DataError: a file that is missing, broken or not an image of 8 or 16 bits.
    """
    x = _with_channels(_values(path), form.channels)
    if form.shape is not None and form.shape != x.shape[1:]:
        # In float64: the same on every machine once it is rounded to float32, which fingerprints rely on.
        x = interpolate(x[None], size=form.shape, mode="bilinear", antialias=True)[0]
    for values, change in ((form.mean, Tensor.sub), (form.std, Tensor.div)):
        x = change(x, torch.tensor(values, dtype=x.dtype)[:, None, None]) if len(values) else x
    return x.float()


def read_mask(path: Path, form: ImageForm) -> Bool[Tensor, " height width"]:
    """True where any colour of the image is above 0; enlarged or reduced to the form by the nearest pixel.

    Raises:
        DataError: see ``read_image``.
    """
    mask = (_with_channels(_values(path), 3) > 0).any(dim=0)
    if form.shape is None or form.shape == mask.shape:
        return mask
    return interpolate(mask[None, None].byte(), size=form.shape, mode="nearest-exact")[0, 0].bool()


def stored_size(path: Path) -> tuple[int, int]:
    """Height and width of the image as it is stored, upright; its pixels are not read.

    Raises:
        DataError: a file that is missing or not an image.
    """
    with _opened(path) as image:
        is_on_its_side = image.getexif().get(_ORIENTATION, 1) >= 5
        return (image.width, image.height) if is_on_its_side else (image.height, image.width)


_ORIENTATION = 0x0112


def _is_side(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _values(path: Path) -> Float[Tensor, " channel height width"]:
    """The upright image as it is stored, from 0 to 1 in float64: grey or colour, perhaps with opacity."""
    with _opened(path) as image:
        if getattr(image, "n_frames", 1) != 1:
            raise DataError(f"{path} holds {image.n_frames} images; expected one per file")  # type: ignore[attr-defined]
        plain = _plain(ImageOps.exif_transpose(image), path)
        largest = _LARGEST_VALUE[plain.mode]
        values = np.asarray(plain, dtype=np.float64) / largest
    return torch.from_numpy(np.atleast_3d(values)).movedim(2, 0)


def _plain(image: Image.Image, path: Path) -> Image.Image:
    """The image with its palette or colour system resolved."""
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")
    if image.mode in ("CMYK", "YCbCr", "HSV"):
        return image.convert("RGB")
    if image.mode not in _LARGEST_VALUE:
        raise DataError(f"{path} holds pixels of kind {image.mode!r}; expected grey or colour of 8 or 16 bits")
    return image


def _with_channels(x: Float[Tensor, " channel height width"], channels: int | None) -> Tensor:
    if channels is None:
        return x
    colour, opacity = (x[:-1], x[-1:]) if len(x) in (2, 4) else (x, torch.ones_like(x[:1]))
    if channels == 4:
        return torch.cat([colour.expand(3, *x.shape[1:]), opacity])
    colour = colour * opacity
    if channels == 1 and len(colour) == 3:
        weights = torch.tensor(GREY_OF_COLOUR, dtype=x.dtype)
        return (colour * weights[:, None, None]).sum(dim=0, keepdim=True)
    return colour.expand(channels, *x.shape[1:])


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The open image file; any error about it becomes a one-line message that names it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # About damaged notes beside the pixels, which many photographs have.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                yield image
    except FileNotFoundError as error:
        raise DataError(f"there is no image {path}; it was there when the folder was listed") from error
    except DataError:
        raise
    except _BROKEN as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} cannot be read as an image ({reason}); replace or remove it") from error


_BROKEN = (
    *(OSError, SyntaxError, ValueError, EOFError, TypeError, KeyError, IndexError, OverflowError),
    *(struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning),
)
"""Errors that the decoders raise."""
