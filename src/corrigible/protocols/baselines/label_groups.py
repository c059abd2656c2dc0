"""The groups of worst-group methods: the rows of one label and one value of the sensitive attribute."""

import torch
from jaxtyping import Int
from torch import Tensor

from corrigible.data.dataset import all_labels
from corrigible.data.group_values import all_groups
from corrigible.data.protocol import Dataset


def label_groups(dataset: Dataset) -> Int[Tensor, " row"] | None:
    """For each row the number, from 0, of its pair of label and group; None for data without groups."""
    group = all_groups(dataset)
    if group is None:
        return None
    pairs = torch.stack([all_labels(dataset), group], dim=1)
    found: Tensor = pairs.unique(dim=0, return_inverse=True)[1]
    return found
