"""The groups of worst-group methods: the rows of one label and one value of the sensitive attribute."""

import torch
from jaxtyping import Int
from torch import Tensor

from corrigible.data.dataset import all_labels, rows_of
from corrigible.data.protocol import Dataset

ROWS_AT_ONCE = 256


def label_groups(dataset: Dataset) -> Int[Tensor, " row"] | None:
    """For each row the number, from 0, of its pair of label and group; None for data without groups."""
    parts = [rows_of(dataset, index).group for index in torch.arange(len(dataset)).split(ROWS_AT_ONCE)]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    pairs = torch.stack([all_labels(dataset), torch.cat(known).cpu()], dim=1)
    found: Tensor = pairs.unique(dim=0, return_inverse=True)[1]
    return found
