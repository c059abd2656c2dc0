"""Images kept as files, one folder per class, read on demand.

Images are ``<folder>/<split>/<class>/<name>.png``. Masks have the same names in folders that give their polarity,
``<masks>/irrelevant/<split>/<class>/<name>.png`` and ``<masks>/relevant/…``; every pixel above 0 is marked.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from corrigible.data.image_file import SUFFIXES, ImageForm, read_image, read_mask, stored_size
from corrigible.errors import DataError
from corrigible.folders import inside
from corrigible.types import Polarity

AS_STORED = ImageForm()


@dataclass(frozen=True)
class ImageFolder:
    """A data set of image files; only their names and labels are held in memory."""

    folder: Path
    files: tuple[str, ...]
    """One per row, as ``<split>/<class>/<name>`` inside the folder."""
    y: Int[Tensor, " row"]
    class_names: tuple[str, ...]
    form: ImageForm

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, row: int) -> tuple[Any, ...]:
        x = self._read(row)
        if x.shape != self.shape:
            found, expected = (" × ".join(map(str, shape)) for shape in (x.shape, self.shape))
            raise DataError(
                f"{self.folder / self.files[row]} has {found} (channels × height × width), {self.files[0]} has "
                f"{expected}; expected the same everywhere: give size and channels"
            )
        return x, self.y[row]

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Channels, height and width of the first image, which all others must have."""
        return tuple(self._read(0).shape)

    def _read(self, row: int) -> Float[Tensor, " channel height width"]:
        return read_image(_inside(self.folder, self.files[row]), self.form)


def image_folder(
    folder: Path, split: str, *, class_names: Sequence[str] | None = None, form: ImageForm = AS_STORED
) -> ImageFolder:
    """The images in ``<folder>/<split>``, class by class, in the order of their names.

    Args:
        class_names: the folders of the classes in the order of their labels; None for those of this split, sorted.

    Raises:
        DataError: a folder that is missing or holds no image, a class that is not among the names, anything other than
            classes or images (hidden files are ignored), or a link that leads out of the folder.
    """
    names = tuple(classes_in(folder, split) if class_names is None else class_names)
    unknown = set(classes_in(folder, split)) - set(names)
    if unknown:
        raise DataError(
            f"{folder / split} has a class {min(unknown)!r}; expected those of training: {', '.join(names)}"
        )
    files, labels = [], []
    for label, name in enumerate(names):
        found = _images(folder, f"{split}/{name}")
        files += found
        labels += [label] * len(found)
    if not files:
        raise DataError(f"the classes in {folder / split} hold no images; expected files {', '.join(SUFFIXES)}")
    return ImageFolder(folder, tuple(files), torch.tensor(labels), names, form)


def classes_in(folder: Path, split: str) -> tuple[str, ...]:
    """The names of the class folders of a split, sorted; by number if all names are numbers.

    Raises:
        DataError: no such folder, no class in it, or something that is not a folder.
    """
    entries = _entries(folder, split)
    for name in entries:
        if not _inside(folder, f"{split}/{name}").is_dir():
            raise DataError(f"{folder / split / name} is not a folder; expected one folder per class, with its images")
    if not entries:
        raise DataError(f"{folder / split} is empty; expected one folder per class, with its images")
    are_numbers = all(name.isdecimal() for name in entries)
    return tuple(sorted(entries, key=lambda name: (int(name) if are_numbers else 0, name)))


def splits_in(folder: Path) -> list[str]:
    """The splits: the folders with the same class folders as ``train``, sorted; empty if there is no folder ``train``.

    Hidden folders are ignored, as splits and as classes.
    """

    def folders(parent: Path) -> set[str]:
        return {path.name for path in parent.iterdir() if path.is_dir() and not path.name.startswith(".")}

    names = sorted(folders(folder)) if folder.is_dir() else []
    return [name for name in names if "train" in names and folders(folder / name) == folders(folder / "train")]


def polarities_in(folder: Path) -> Iterator[tuple[Polarity, str]]:
    """Each polarity and split for which the folder holds masks.

    Raises:
        DataError: no masks, or a folder of another name.
    """
    known = get_args(Polarity)
    found = _entries(folder, ".")
    if not found or not set(found) <= set(known):
        raise DataError(f"{folder} holds {', '.join(found) or 'nothing'}; expected folders named {' or '.join(known)}")
    for polarity in found:
        for split in _entries(folder, polarity):
            yield polarity, split  # type: ignore[misc]


def masks_for(
    images: ImageFolder, folder: Path, polarity: Polarity, split: str
) -> Iterator[tuple[int, Bool[Tensor, " height width"]]]:
    """Each row with a mask ``<folder>/<polarity>/<split>/<class>/<name>.*`` that marks a pixel, and its mask.

    A mask has the name of its image; its suffix may differ.

    Raises:
        DataError: a mask without its image, of another size, or broken.
    """
    row_of = _rows_by_name(images)
    for file in (f for c in classes_in(folder / polarity, split) for f in _images(folder / polarity, f"{split}/{c}")):
        path, row = _inside(folder, f"{polarity}/{file}"), row_of.get(str(Path(file).with_suffix("")))
        if row is None:
            raise DataError(f"mask {path} has no image of its name in {images.folder / split}; rename or remove it")
        sizes = stored_size(path), stored_size(images.folder / images.files[row])
        if sizes[0] != sizes[1]:
            found, expected = (" × ".join(map(str, size)) for size in sizes)
            raise DataError(f"mask {path} is {found} pixels; expected {expected}, the size of its image")
        mask = read_mask(path, images.form)
        if bool(mask.any()):
            yield row, mask


def _rows_by_name(images: ImageFolder) -> dict[str, int]:
    rows: dict[str, int] = {}
    for row, file in enumerate(images.files):
        name = str(Path(file).with_suffix(""))
        if name in rows:
            raise DataError(f"{file} and {images.files[rows[name]]} differ in their suffix only; rename one of them")
        rows[name] = row
    return rows


def _images(folder: Path, relative: str) -> list[str]:
    """The image files of one class."""
    if not (folder / relative).is_dir():
        return []  # This split has no images of the class.
    found = [f"{relative}/{name}" for name in _entries(folder, relative)]
    for file in found:
        if not file.lower().endswith(SUFFIXES) or not _inside(folder, file).is_file():
            raise DataError(
                f"{folder / file} is not an image file; expected {', '.join(SUFFIXES)}: convert or remove it"
            )
    return found


def _entries(folder: Path, relative: str) -> list[str]:
    """The sorted names in a folder, without hidden ones."""
    path = _inside(folder, relative)
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"cannot list {path} ({error.strerror}); expected a folder") from error


def _inside(folder: Path, relative: str) -> Path:
    try:
        return folder if relative == "." else inside(folder, relative)
    except ValueError as error:
        raise DataError(f"{error}; move or rename it") from error
