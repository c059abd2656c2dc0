"""Read one image file, or one mask, as a tensor of the size asked for."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from corrigible.data.image_decoding import (
    LARGEST_VALUE,
    damage_ignored,
    decoded,
    opened_image,
    plain,
    upright_size,
)
from corrigible.errors import DataError, RecipeError

GREY_OF_COLOUR = (0.299, 0.587, 0.114)
"""Perceived brightness of red, green and blue (ITU-R BT.601)."""
MOST_NUMBERS = 2**26
"""Pixels times channels of an input."""
MOST_THREADS = 8
_AT_ONCE = 2**20
"""Pixels that are converted at once, so that memory is that of the decoded file."""


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
        sides = tuple(self.size) if isinstance(self.size, list | tuple) else (self.size,)
        if self.size is not None and (len(sides) not in (1, 2) or not all(_is_side(side) for side in sides)):
            raise RecipeError(f"size is {self.size!r}; expected pixels: one number, or [height, width]")
        if self.shape is not None and self.shape[0] * self.shape[1] * 4 > MOST_NUMBERS:
            raise RecipeError(f"size is {self.size!r}; expected at most {MOST_NUMBERS // 4:,} pixels")
        if self.channels not in (None, 1, 3, 4):
            raise RecipeError(f"channels is {self.channels!r}; expected 1 (grey), 3 (colour) or 4 (colour and opacity)")
        for name in ("mean", "std"):
            values = getattr(self, name)
            if not isinstance(values, list | tuple) or not all(isinstance(value, int | float) for value in values):
                raise RecipeError(f"{name} is {values!r}; expected a list of numbers, one per channel")
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
        DataError: a file that is missing, broken, too large, or not an image of 8 or 16 bits.
    """
    with damage_ignored():
        x, white = _in_form(path, form)
    return torch.from_numpy(np.divide(x, np.float32(white), dtype=np.float32, order="C"))


def read_images(
    paths: Sequence[Path], form: ImageForm, shape: tuple[int, ...]
) -> Float[Tensor, " image channel height width"]:
    """The images in this form, in the order of their paths: see ``read_image``.

    Threads read them, as many as there are processors, each into its place of the result.

    Args:
        shape: (channels, height, width) that every image must have.

    Raises:
        DataError: see ``read_image``; an image of another shape. The first such file is named.
    """
    found = np.empty((len(paths), *shape), dtype=np.float32)

    def read(first: int, after: int) -> None:
        for path, place in zip(paths[first:after], found[first:after], strict=True):
            x, white = _in_form(path, form)
            _require_shape(x.shape, shape, path)
            place[...] = x
            if white != 1:
                place /= np.float32(white)

    # A part of the files for each thread: to hand them out one by one takes as long as to decode them.
    num_threads = max(1, min(len(paths), num_processors(), MOST_THREADS))
    bounds = [len(paths) * part // num_threads for part in range(num_threads + 1)]
    with damage_ignored(), ThreadPoolExecutor(num_threads) as pool:
        deque(pool.map(read, bounds[:-1], bounds[1:]), maxlen=0)
    return torch.from_numpy(found)


def _require_shape(found: tuple[int, ...], expected: tuple[int, ...], path: Path) -> None:
    if found != expected:
        has, first_has = (" × ".join(map(str, shape)) for shape in (found, expected))
        raise DataError(
            f"{path} has {has} (channels × height × width), the first image has {first_has}; expected the same "
            "everywhere: give size and channels"
        )


def num_processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_mask(path: Path, form: ImageForm) -> Bool[Tensor, " height width"]:
    """True where any colour of the image is above 0; in another size, wherever a place holds any such pixel.

    Raises:
        DataError: see ``read_image``.
    """
    return read_coverage(path, form) > 0


def read_coverage(path: Path, form: ImageForm) -> Float[Tensor, " height width"]:
    """The share of each place of the form that a mask marks, from 0 to 1; a pixel is marked if any colour is above 0.

    Raises:
        DataError: see ``read_image``.
    """
    with damage_ignored():
        picture = decoded(path)
    shape = form.shape or (picture.height, picture.width)
    if form.shape is None:
        _require_kept(picture, path)
    return _resized(_strips(picture, partial(_marked, path=path)), shape, _mean_over_area)[0]


def stored_size(path: Path) -> tuple[int, int]:
    """Height and width of the image as it is stored, upright.

    Raises:
        DataError: a file that is missing or not an image.
    """
    with damage_ignored(), opened_image(path) as image:
        return upright_size(image)


def _is_side(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _in_form(path: Path, form: ImageForm) -> tuple[NDArray[Any], int]:
    """The image, (channel, height, width), and the value by which it has yet to be divided.

    Bytes remain bytes where that changes nothing: they are small, and what waits for its turn holds memory.
    """
    picture = decoded(path)
    if form.shape in (None, (picture.height, picture.width)):
        _require_kept(picture, path)
        pixels, white = _pixels(picture, path)
        if (
            pixels.dtype == np.uint8
            and len(pixels) == (form.channels or len(pixels))
            and not form.mean
            and not form.std
        ):
            return pixels, white
        x = _with_channels(torch.from_numpy(pixels.astype(np.float64)).div_(white), form.channels)
    else:
        # In float64: the same on every machine once it is rounded to float32, which fingerprints rely on.
        x = _resized(_strips(picture, partial(_values, path=path, channels=form.channels)), form.shape, _bilinear)
    for values, change in ((form.mean, Tensor.sub), (form.std, Tensor.div)):
        x = change(x, torch.tensor(values, dtype=x.dtype)[:, None, None]) if len(values) else x
    return x.float().numpy(), 1


def _require_kept(picture: Image.Image, path: Path) -> None:
    """Raises DataError for a picture that is too large to be an input as it is."""
    if picture.width * picture.height * len(picture.getbands()) > MOST_NUMBERS:
        raise DataError(
            f"{path} has {picture.width} × {picture.height} pixels, too large for an input; give the setting size to "
            "read it smaller, or shrink the picture"
        )


def _strips(picture: Image.Image, read: Callable[[Image.Image], Tensor]) -> Iterator[Tensor]:
    """What is read from strips of a few rows, from top to bottom; of small pictures, from the picture as a whole."""
    height = max(1, _AT_ONCE // picture.width)
    for top in range(0, picture.height, height):
        is_whole = height >= picture.height
        yield read(picture if is_whole else picture.crop((0, top, picture.width, min(top + height, picture.height))))


def _pixels(picture: Image.Image, path: Path) -> tuple[NDArray[Any], int]:
    """The pixels as they are stored, (channel, height, width): grey or colour, perhaps with opacity; and white."""
    found = plain(picture, path)
    return np.atleast_3d(np.asarray(found)).transpose(2, 0, 1), LARGEST_VALUE[found.mode]


def _values(picture: Image.Image, path: Path, channels: int | None) -> Float[Tensor, " channel height width"]:
    """The pixels from 0 to 1 in float64."""
    pixels, largest = _pixels(picture, path)
    return _with_channels(torch.from_numpy(pixels.astype(np.float64)).div_(largest), channels)


def _marked(picture: Image.Image, path: Path) -> Float[Tensor, " 1 height width"]:
    """1 where any colour is above 0 and not transparent, otherwise 0."""
    pixels, _ = _pixels(picture, path)
    colour, opacity = _parts(torch.from_numpy(pixels.astype(np.float64)))
    return (colour * opacity > 0).any(dim=0, keepdim=True).double()


def _resized(
    strips: Iterator[Tensor], shape: tuple[int, int], change: Callable[[Tensor, tuple[int, int]], Tensor]
) -> Float[Tensor, " channel height width"]:
    """The strips in another size: the width of each, then the height of all."""
    narrowed = torch.cat([change(strip, (strip.shape[1], shape[1])) for strip in strips], dim=1)
    return change(narrowed, shape)


def _bilinear(x: Tensor, shape: tuple[int, int]) -> Tensor:
    return interpolate(x[None], size=shape, mode="bilinear", antialias=True)[0]


def _mean_over_area(x: Tensor, shape: tuple[int, int]) -> Tensor:
    """In a smaller size the mean of all pixels that a place overlaps; in a larger one the nearest pixel."""
    is_larger = shape[0] > x.shape[1] or shape[1] > x.shape[2]
    return interpolate(x[None], size=shape, mode="nearest-exact" if is_larger else "area")[0]


def _parts(x: Float[Tensor, " channel height width"]) -> tuple[Tensor, Tensor]:
    """Colour or grey, and opacity: 1 where there is none."""
    return (x[:-1], x[-1:]) if len(x) in (2, 4) else (x, torch.ones_like(x[:1]))


def _with_channels(x: Float[Tensor, " channel height width"], channels: int | None) -> Tensor:
    if channels in (None, len(x)):
        return x
    colour, opacity = _parts(x)
    if channels == 4:
        return torch.cat([colour.expand(3, *x.shape[1:]), opacity])
    colour = colour * opacity
    if channels == 1 and len(colour) == 3:
        weights = torch.tensor(GREY_OF_COLOUR, dtype=x.dtype)
        return (colour * weights[:, None, None]).sum(dim=0, keepdim=True)
    return colour.expand(channels, *x.shape[1:])
