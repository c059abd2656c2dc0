"""What people give as data: a tuple of arrays, a map-style data set, or a DataLoader, whose data set is taken."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, RandomSampler, SequentialSampler
from torch.utils.data._utils.collate import default_collate, default_convert

from corrigible.data.arrays import frame_of
from corrigible.errors import DataError

EXPECTED = "expected (x, y), a tuple of arrays, or a map-style data set of (x, y)"


def given_data(data: Any) -> Any:
    """A tuple of two or three arrays, or a map-style data set.

    Raises:
        DataError: something else, or a DataLoader that gives other rows than its data set.
    """
    if isinstance(data, DataLoader):
        return _rows_of_loader(data)
    if isinstance(data, tuple):
        if len(data) not in (2, 3):
            raise DataError(f"data is a tuple of {len(data)}; expected (x, y) or (x, y, group)")
        return data
    if isinstance(data, list) and data and not isinstance(data[0], tuple | list):
        raise DataError(f"data is a list of {type(data[0]).__name__}; {EXPECTED}: write (x, y) in round brackets")
    if isinstance(data, Mapping):
        names = ", ".join(str(name) for name in list(data)[:5])
        raise DataError(f"data is a dictionary with {names or 'nothing'}; {EXPECTED}: (data['x'], data['y'])")
    if isinstance(data, str | bytes | np.ndarray | Tensor) or frame_of(data) is not None:
        raise DataError(f"data is a {type(data).__name__} alone; {EXPECTED}, with the labels beside the inputs")
    has_rows = hasattr(data, "__len__") and hasattr(data, "__getitem__") and not isinstance(data, IterableDataset)
    if not has_rows:
        raise DataError(f"data is a {type(data).__name__}, whose rows have no number; {EXPECTED}")
    return data


def _rows_of_loader(loader: "DataLoader[Any]") -> Any:
    """The loader's data set; its order and batches are not used, since training draws its own."""
    if loader.collate_fn not in (default_collate, default_convert):
        raise DataError("the DataLoader joins rows by a collate_fn of its own; give a data set of (x, y) instead")
    plain = (SequentialSampler, RandomSampler)
    sampler = loader.sampler if loader.batch_sampler is None else loader.batch_sampler
    sampler = sampler.sampler if type(sampler) is BatchSampler else sampler
    replaces = getattr(sampler, "replacement", False) or getattr(sampler, "_num_samples", None) is not None
    if not isinstance(loader.dataset, IterableDataset) and (type(sampler) not in plain or replaces):
        raise DataError(
            f"the DataLoader draws rows by a {type(sampler).__name__}; give a data set of the rows that count, such as "
            "torch.utils.data.Subset, or their weights: TensorData(x, y, weight=…)"
        )
    return given_data(loader.dataset)
