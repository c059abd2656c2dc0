"""Images kept as files, one folder per class, read on demand: ``<folder>/<split>/<class>/<name>.png``."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from corrigible.data.image_decoding import SUFFIXES
from corrigible.data.image_file import ImageForm, read_image, read_images
from corrigible.data.image_names import (
    class_folders,
    files_by_class,
    is_left_behind,
    one_spelling,
    paths_inside,
    sorted_names,
)
from corrigible.errors import DataError

log = logging.getLogger(__name__)

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
        return self.__getitems__([row])[0]

    def __getitems__(self, rows: Sequence[int]) -> list[tuple[Any, ...]]:
        """Several rows, which are read faster together."""
        return list(zip(read_images(self._paths(rows), self.form, self.shape), self.y[list(rows)], strict=True))

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Channels, height and width of the first image, which all others must have."""
        return tuple(read_image(self._paths([0])[0], self.form).shape)

    def _paths(self, rows: Sequence[int]) -> list[Path]:
        return paths_inside(self.folder, [self.files[row] for row in rows])


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
    folders = class_folders(folder, split)
    names = tuple(sorted_names(folders) if class_names is None else class_names)
    unknown = set(folders) - set(names)
    if unknown:
        raise DataError(
            f"{folder / split} has a class {min(unknown)!r}; expected those of training: {', '.join(names)}"
        )
    of_classes = files_by_class(folder, split, names)
    files, labels = [], []
    for label, name in enumerate(names):
        found = of_classes[name]
        files += found
        labels += [label] * len(found)
    if not files:
        raise DataError(f"the classes in {folder / split} hold no images; expected files {', '.join(SUFFIXES)}")
    absent = [name for label, name in enumerate(names) if label not in set(labels)]
    if absent and (split == "train" or class_names is None):
        raise DataError(
            f"the class folder {folder / split / absent[0]} holds no images; add images, or remove the folder: a "
            "network learns nothing of such a class"
        )
    if absent:
        _say(f"{folder / split} has no images of {', '.join(absent)}; nothing is measured of such a class there")
    return ImageFolder(folder, tuple(files), torch.tensor(labels), names, form)


@cache
def _say(warning: str) -> None:
    """Log it once, although verbs read a split several times."""
    log.warning(warning)


def classes_in(folder: Path, split: str) -> tuple[str, ...]:
    """The names of the class folders of a split, sorted; by number if all names are numbers.

    Raises:
        DataError: no such folder, no class in it, something that is not a folder, or one name in two spellings.
    """
    return sorted_names(class_folders(folder, split))


def splits_in(folder: Path) -> list[str]:
    """The splits: the folders with the same class folders as ``train``, sorted; empty if there is no folder ``train``.

    Hidden folders and what systems leave behind are ignored, as splits and as classes.
    """

    def folders(parent: Path) -> set[str]:
        return {one_spelling(path.name) for path in parent.iterdir() if path.is_dir() and not is_left_behind(path.name)}

    names = sorted(folders(folder)) if folder.is_dir() else []
    return [name for name in names if "train" in names and folders(folder / name) == folders(folder / "train")]
