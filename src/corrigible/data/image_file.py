"""Read one image file, or one mask, as a tensor of the size asked for."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
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
        sides = () if self.size is None else (self.size,) if isinstance(self.size, int) else tuple(self.size)
        if self.size is not None and (len(sides) not in (1, 2) or not all(_is_side(side) for side in sides)):
            raise RecipeError(f"size is {self.size!r}; expected pixels: one number, or [height, width]")
        if self.shape is not None and self.shape[0] * self.shape[1] * 4 > MOST_NUMBERS:
            raise RecipeError(f"size is {self.size!r}; expected at most {MOST_NUMBERS // 4:,} pixels")
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
        DataError: a file that is missing, broken, too large, or not an image of 8 or 16 bits.
    """
    return read_images([path], form)[0]


def read_images(paths: Sequence[Path], form: ImageForm) -> list[Float[Tensor, " channel height width"]]:
    """The images in this form, in the order of their paths: see ``read_image``.

    Threads decode the next files, as many as there are processors, while this one converts the last.

    Raises:
        DataError: see ``read_image``; the first file that cannot be read.
    """
    num_threads = min(len(paths), num_processors(), MOST_THREADS)
    with damage_ignored():
        if num_threads <= 1:
            return [_in_form(decoded(path), path, form) for path in paths]
        with ThreadPoolExecutor(num_threads) as pool:
            return [_in_form(picture, path, form) for path, picture in _decoded_ahead(pool, paths, num_threads)]


def _decoded_ahead(
    pool: ThreadPoolExecutor, paths: Sequence[Path], num_ahead: int
) -> Iterator[tuple[Path, Image.Image]]:
    """Each path with its picture, while the next few are decoded; not more, which might not fit in memory."""
    waiting: deque[tuple[Path, Future[Image.Image]]] = deque()
    try:
        for path in paths:
            waiting.append((path, pool.submit(decoded, path)))
            if len(waiting) > num_ahead:
                first, picture = waiting.popleft()
                yield first, picture.result()
        while waiting:
            first, picture = waiting.popleft()
            yield first, picture.result()
    finally:
        for _, picture in waiting:
            picture.cancel()


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


def _in_form(picture: Image.Image, path: Path, form: ImageForm) -> Float[Tensor, " channel height width"]:
    if form.shape in (None, (picture.height, picture.width)):
        _require_kept(picture, path)
        x, largest = _stored(picture, path)
        if len(x) == (form.channels or len(x)) and not len(form.mean) + len(form.std):
            return x.float().div_(largest)  # The same numbers as by way of float64.
        x = _with_channels(x.double().div_(largest), form.channels)
    else:
        # In float64: the same on every machine once it is rounded to float32, which fingerprints rely on.
        x = _resized(_strips(picture, partial(_values, path=path, channels=form.channels)), form.shape, _bilinear)
    for values, change in ((form.mean, Tensor.sub), (form.std, Tensor.div)):
        x = change(x, torch.tensor(values, dtype=x.dtype)[:, None, None]) if len(values) else x
    return x.float()


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


def _stored(picture: Image.Image, path: Path) -> tuple[Tensor, int]:
    """The pixels as they are stored, (channel, height, width): grey or colour, perhaps with opacity; and white."""
    found = plain(picture, path)
    pixels = np.atleast_3d(np.asarray(found)).transpose(2, 0, 1)
    return torch.from_numpy(np.array(pixels, dtype=pixels.dtype.newbyteorder("="), order="C")), LARGEST_VALUE[
        found.mode
    ]


def _values(picture: Image.Image, path: Path, channels: int | None) -> Float[Tensor, " channel height width"]:
    """The pixels from 0 to 1 in float64."""
    x, largest = _stored(picture, path)
    return _with_channels(x.double().div_(largest), channels)


def _marked(picture: Image.Image, path: Path) -> Float[Tensor, " 1 height width"]:
    """1 where any colour is above 0 and not transparent, otherwise 0."""
    x, _ = _stored(picture, path)
    colour, opacity = _parts(x.double())
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
