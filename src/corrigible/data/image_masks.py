"""Masks kept as image files, with the names of the images that they mark.

Masks are ``<masks>/irrelevant/<split>/<class>/<name>.png`` and ``<masks>/relevant/…``; every pixel above 0 is marked.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from jaxtyping import Bool, Float
from torch import Tensor

from corrigible.data.dataset import Labelled, shape_of
from corrigible.data.image_file import ImageForm, read_coverage, stored_size
from corrigible.data.image_folder import ImageFolder
from corrigible.data.image_names import (
    by_picture,
    class_folders,
    entries,
    image_files,
    one_spelling,
    path_inside,
    places_by_name,
    sorted_names,
)
from corrigible.data.protocol import Dataset
from corrigible.errors import DataError
from corrigible.types import Polarity

ROUNDING = 1e-6
ROW = re.compile(r"row-(\d{1,15})\.[a-z]+", re.ASCII)
LOSSY = (".jpg", ".jpeg", ".jfif", ".mpo")
log = logging.getLogger(__name__)


def polarities_in(folder: Path) -> Iterator[tuple[Polarity, str]]:
    """Each polarity and split for which the folder holds masks.

    Raises:
        DataError: no masks, or a folder of another name.
    """
    known = get_args(Polarity)
    found = entries(folder, ".")
    if not found or not set(found) <= set(known):
        raise DataError(f"{folder} holds {', '.join(found) or 'nothing'}; expected folders named {' or '.join(known)}")
    for polarity in found:
        for split in entries(folder, polarity):
            yield polarity, split  # type: ignore[misc]


def masks_for(
    images: ImageFolder, folder: Path, polarity: Polarity, split: str
) -> Iterator[tuple[int, Bool[Tensor, " height width"]]]:
    """Each row with a mask ``<folder>/<polarity>/<split>/<class>/<name>.*``, and the mask, which may mark nothing.

    A mask has the name of its image; its suffix may differ, or follow the image's whole name. Where images are read
    smaller, a mask marks each place that holds a marked pixel. If a mask of the other polarity shares such a place
    without sharing a pixel, the place belongs to the mask with more of it.

    Raises:
        DataError: a mask without its image or with several, of another size, or broken.
    """
    rows_of = places_by_name(images.files)
    others = _mask_files(folder, _other(polarity), split)
    for name, file in _mask_files(folder, polarity, split).items():
        rows = rows_of.get(name, [])
        if not rows:
            raise DataError(
                f"mask {folder / file} has no image of its name in {images.folder / split}; rename or remove it"
            )
        if len(rows) > 1:
            first, second = (images.files[row] for row in rows[:2])
            raise DataError(
                f"mask {folder / file} may be of {first} or {second}, which differ in their suffix only (or in Unicode "
                f"spelling): name it after the whole name of its image, {Path(first).name}.png"
            )
        row = rows[0]
        coverage = _coverage(images, row, folder, file)
        mask = coverage > 0
        if name in others:
            mask = _less_the_other(mask, coverage, _coverage(images, row, folder, others[name]), polarity)
        yield row, mask


def mask_name(file: str, known: Mapping[str, Sequence[int]]) -> str:
    """The name without suffix by which `masks_for` knows the mask of an image.

    Args:
        known: `places_by_name` of all images.

    Raises:
        DataError: every name of the image is also that of another one.
    """
    for name in (str(Path(file).with_suffix("")), file):
        if len(known[one_spelling(name)]) == 1:
            return name
    raise DataError(f"{file} has the name of another image; rename one of them, so that masks can be named after them")


def masks_of_rows(
    data: Dataset, folder: Path, polarity: Polarity, split: str
) -> Iterator[tuple[int, Bool[Tensor, " height width"]]]:
    """Each row with a mask ``<folder>/<polarity>/<split>/row-<number>.*``, for images that are not kept as files.

    Raises:
        DataError: a mask of no row, of another size than an input, or broken; rows that are no images.
    """
    place = path_inside(folder, f"{polarity}/{split}")
    for name in entries(place, "."):
        number = ROW.fullmatch(name)
        if number is None or int(number[1]) >= len(data):
            raise DataError(f"mask {place / name} names no row; expected row-0.png to row-{len(data) - 1}.png")
        yield int(number[1]), picture_mask(path_inside(place, name), data, int(number[1]))


def images_of(data: Dataset) -> ImageFolder | None:
    """The image files that are the rows of the data; None if these are kept in another form."""
    found = data.rows if isinstance(data, Labelled) else data
    return found if isinstance(found, ImageFolder) else None


def picture_mask(path: Path, data: Dataset, row: int | None) -> Bool[Tensor, " height width"]:
    """True where any colour of an image is above 0: a mask of the row, or of every row.

    It has the size of the row's image file, and is stretched with it, or that of an input.

    Raises:
        DataError: no image, one of another size, or rows that are no images.
    """
    images, shape = images_of(data), shape_of(data)
    if len(shape) != 3:
        raise DataError(f"mask {path} is an image, and the rows have shape {shape}; expected rows that are images")
    found, sizes = stored_size(path), {shape[1:]}
    if images is not None:
        sizes.add(stored_size(path_inside(images.folder, images.files[row or 0])))
    if found not in sizes:
        has, expected = (" × ".join(map(str, size)) for size in (found, min(sizes)))
        raise DataError(f"mask {path} is {has} pixels (height × width); expected {expected}, the size of its image")
    if path.suffix.lower() in LOSSY:
        log.warning(f"mask {path} is compressed with loss, which may mark pixels beside the edges; save it as PNG")
    return read_coverage(path, ImageForm(size=list(shape[1:]))) > 0


def _other(polarity: Polarity) -> Polarity:
    return "relevant" if polarity == "irrelevant" else "irrelevant"


def _mask_files(folder: Path, polarity: Polarity, split: str) -> dict[str, str]:
    """The masks of a split by the names of their images; empty if the folder has none of this polarity and split."""
    if not (folder / polarity / split).is_dir():
        return {}
    classes = class_folders(folder / polarity, split)
    of_classes = (image_files(folder / polarity, f"{split}/{classes[name]}") for name in sorted_names(classes))
    files = [file for found in of_classes for file in found]
    return {name: f"{polarity}/{files[place]}" for name, place in by_picture(files).items()}


def _coverage(images: ImageFolder, row: int, folder: Path, file: str) -> Float[Tensor, " height width"]:
    """The share of each place of a row that the mask marks."""
    path = path_inside(folder, file)
    sizes = stored_size(path), stored_size(path_inside(images.folder, images.files[row]))
    if sizes[0] != sizes[1]:
        found, expected = (" × ".join(map(str, size)) for size in sizes)
        raise DataError(f"mask {path} is {found} pixels; expected {expected}, the size of its image")
    return read_coverage(path, images.form)


def _less_the_other(mask: Tensor, coverage: Tensor, of_other: Tensor, polarity: Polarity) -> Tensor:
    """The mask without places that both masks share although they share no pixel, and of which the other has more."""
    if bool((coverage + of_other > 1 + ROUNDING).any()):
        return mask  # They contradict each other, which must be seen.
    lost = of_other > coverage if polarity == "irrelevant" else of_other >= coverage
    left = mask & ~lost
    return left if bool(left.any()) else mask
