"""Every row's group, whether the data set is in memory or not."""

import torch
from jaxtyping import Int
from torch import Tensor

from corrigible.data.dataset import TensorData, rows_of
from corrigible.data.protocol import Dataset

ROWS_AT_ONCE = 256


def all_groups(dataset: Dataset) -> Int[Tensor, " row"] | None:
    """Every row's value of the sensitive attribute, on the CPU; None for data without groups."""
    if isinstance(dataset, TensorData):
        return None if dataset.group is None else dataset.group.cpu()
    parts = [rows_of(dataset, index).group for index in torch.arange(len(dataset)).split(ROWS_AT_ONCE)]
    known = [part for part in parts if part is not None]
    return torch.cat(known).cpu() if len(known) == len(parts) else None
