"""Fashion-MNIST (Xiao, Rasul and Vollgraf 2017; MIT licence) from Debian's package dataset-fashion-mnist.

    apt-get install dataset-fashion-mnist

or, without changing the system, and with CORRIGIBLE_FASHION_MNIST naming the folder that holds the four files:

    apt-get download dataset-fashion-mnist && dpkg-deb -x dataset-fashion-mnist_*.deb fashion
    export CORRIGIBLE_FASHION_MNIST=$PWD/fashion/usr/share/datasets/fashion-mnist
"""

import gzip
import os
import struct
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pinned_files import pinned

from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, unknown

FOLDER = "/usr/share/datasets/fashion-mnist"
VARIABLE = "CORRIGIBLE_FASHION_MNIST"
REMEDY = f"apt-get install dataset-fashion-mnist, or let {VARIABLE} name the folder of its files"
SHA256 = {
    "train-images-idx3-ubyte.gz": "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
    "train-labels-idx1-ubyte.gz": "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
    "t10k-images-idx3-ubyte.gz": "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
    "t10k-labels-idx1-ubyte.gz": "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
}
SPLITS = ("train", "validation", "test")
CLASSES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
NUM_TRAIN = 50_000
"""The last 10,000 of the 60,000 training rows are for validation, as in MNIST."""


def idx_array(content: bytes) -> NDArray[np.uint8]:
    """The array in an IDX file of bytes: two zeros, type 8, the number of axes, each axis' size as big-endian 32 bits.

    Raises:
        DataError: another type, or not as many values as the sizes say.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise DataError(f"the file starts with {content[:4]!r}; expected an IDX file of bytes, b'\\0\\0\\x08'")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise DataError(f"the IDX file ends within its header of {start} bytes; fetch it again")
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    expected = int(np.prod(shape, dtype=np.int64))
    if len(content) - start != expected:
        raise DataError(f"the IDX file holds {len(content) - start} values, its header says {expected}; fetch it again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()


def load(split: str) -> TensorData:
    """Pieces of clothing of shape (1, 28, 28), values 0 to 1: 50,000 to train on, 10,000 to validate, 10,000 to test.

    Raises:
        DataError: an unknown split; a file is missing or changed.
    """
    if split not in SPLITS:
        raise DataError(unknown("split", split, SPLITS))
    rows = _part("t10k" if split == "test" else "train")
    chosen = {"train": slice(NUM_TRAIN), "validation": slice(NUM_TRAIN, None), "test": slice(None)}[split]
    return TensorData(rows.x[chosen], rows.y[chosen], class_names=CLASSES)


@lru_cache(maxsize=2)
def _part(name: str) -> TensorData:
    images, labels = (_array(f"{name}-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1"))
    return TensorData(torch.from_numpy(images)[:, None].float() / 255, torch.from_numpy(labels).long())


def _array(name: str) -> NDArray[np.uint8]:
    file = Path(os.environ.get(VARIABLE, FOLDER)) / name
    return idx_array(gzip.decompress(pinned(file, SHA256[name], remedy=REMEDY)))
