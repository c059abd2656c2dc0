"""Images kept as files in ``<folder>/<split>/<class>/``, or as arrays in ``<folder>/<split>.npz``."""

import zipfile
import zlib
from collections.abc import Sequence
from lzma import LZMAError
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corrigible.data.dataset import TensorData
from corrigible.data.image_file import ImageForm
from corrigible.data.image_folder import AS_STORED, classes_in, image_folder
from corrigible.data.npy import npz_arrays
from corrigible.data.protocol import Dataset
from corrigible.errors import DataError

Arrays = dict[str, NDArray[Any]]


def load_images(
    folder: Path,
    split: str,
    *,
    size: int | Sequence[int] | None = None,
    channels: int | None = None,
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
) -> Dataset:
    """The images of a split, as (row, channel, height, width) in float32.

    If there is a folder ``<folder>/<split>``, it holds one folder of images per class, which are read on demand; the
    classes are those of ``<folder>/train``. Otherwise ``<split>.npz`` is read: see ``load_arrays``.

    Args:
        size: side of a square, or (height, width), in pixels, to which image files are stretched.
        channels: channels of image files: 1 grey, 3 colour, 4 colour and opacity.
        mean: per channel, subtracted from the values of image files, which are from 0 to 1.
        std: per channel, divides the values after that.

    Raises:
        DataError: files that are missing, broken or of the wrong form; both a folder and a file of arrays.
        RecipeError: a setting that is out of range or does not fit the other settings.
    """
    form = ImageForm(size=size, channels=channels, mean=_as_tuple(mean), std=_as_tuple(std))
    arrays, images = folder / f"{split}.npz", folder / split
    if not images.is_dir():
        if form != AS_STORED:
            raise DataError(f"size, channels, mean and std are for image files; there is no folder {images}")
        return load_arrays(arrays, folder)
    if arrays.exists():
        raise DataError(f"there are both {images} and {arrays}; remove the one that is not meant")
    classes = folder / "train" if (folder / "train").is_dir() else images
    return image_folder(folder, split, class_names=classes_in(folder, classes.name), form=form)


def _as_tuple(given: Any) -> Any:
    return tuple(given) if isinstance(given, list) else given


def load_arrays(path: Path, folder: Path | None = None) -> TensorData:
    """The images, labels and groups in an ``.npz`` file, as (row, channel, height, width) in float32.

    No symbolic link may lead out of the folder, by default that of the file.

    The file holds ``x`` of shape (row, height, width) or (row, channel, height, width), ``y`` of shape (row,) and
    optionally ``group`` of shape (row,). Bytes 0 to 255 become 0 to 1; floating-point values are not changed.

    Raises:
        DataError: the file is missing or broken, lacks an array, or holds arrays of another form.
    """
    arrays = _read(path, folder or path.parent)
    for name in ("x", "y"):
        if name not in arrays:
            raise DataError(f"{path} has no array {name!r}; it has {', '.join(arrays) or 'none'}, expected x and y")
    x = _images(arrays["x"], path)
    y, group = (_numbers(arrays[name], len(x), name, path) if name in arrays else None for name in ("y", "group"))
    assert y is not None
    return TensorData(x, y, group)


def _read(path: Path, folder: Path) -> Arrays:
    try:
        return npz_arrays(path, ("x", "y", "group"), within=folder)
    except FileNotFoundError as error:
        raise DataError(
            f"there is no file {path}; expected one .npz file with arrays x and y, or one "
            f"folder of images per class in {path.with_suffix('')}"
        ) from error
    except (zipfile.BadZipFile, zlib.error, LZMAError, EOFError, OSError, ValueError, NotImplementedError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} cannot be read ({reason}); save it again with numpy.savez, numbers only") from error


def _images(x: NDArray[Any], path: Path) -> Tensor:
    if x.ndim not in (3, 4) or 0 in x.shape:
        expected = "(rows, height, width) or (rows, channels, height, width)"
        raise DataError(f"x in {path} has shape {x.shape}; expected {expected}, none of them 0")
    if x.ndim == 4 and x.shape[3] <= 4 < x.shape[1]:
        raise DataError(f"x in {path} has shape {x.shape}, channels last; put them second: x.transpose(0, 3, 1, 2)")
    if x.dtype != np.uint8 and x.dtype.kind != "f":
        raise DataError(f"x in {path} holds {x.dtype}; expected uint8 from 0 to 255, or floating-point numbers")
    images = x.astype(np.float32) / 255 if x.dtype == np.uint8 else x.astype(np.float32)
    bad = ~np.isfinite(images).reshape(len(x), -1).all(axis=1)
    if bad.any():
        raise DataError(
            f"row {bad.argmax()} of x in {path} is NaN or infinite ({bad.sum()} such rows); drop them first"
        )
    return torch.from_numpy(images if x.ndim == 4 else images[:, None])


def _numbers(values: NDArray[Any], num_rows: int, name: str, path: Path) -> Tensor:
    if values.shape != (num_rows,):
        raise DataError(f"{name} in {path} has shape {values.shape}; expected ({num_rows},), one number per row of x")
    if values.dtype.kind not in "iu":
        raise DataError(f"{name} in {path} holds {values.dtype}; expected whole numbers from 0")
    if values.min() < 0:
        raise DataError(f"{name} in {path} is {values.min()} in row {values.argmin()}; expected whole numbers from 0")
    return torch.from_numpy(values.astype(np.int64))
