"""Gradients of one-hot columns, made unique."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.types import Columns


def centred(gradient: Float[Tensor, " batch *input"], columns: Columns | None) -> Float[Tensor, " batch *input"]:
    """The gradient minus its mean over the columns of each one-hot category."""
    if columns is None or not columns.has_categories:
        return gradient
    member = one_hot_members(columns).to(gradient)
    mean = (gradient @ member) / member.sum(0)
    return gradient - mean @ member.T


@lru_cache(maxsize=8)
def one_hot_members(columns: Columns) -> Float[Tensor, " column category"]:
    """1 where the column is one of the category's one-hot columns."""
    pairs = list(zip(columns.feature, columns.one_hot, strict=True))
    categories = dict.fromkeys(feature for feature, is_one_hot in pairs if is_one_hot)
    rows = [[float(is_one_hot and feature == category) for category in categories] for feature, is_one_hot in pairs]
    return torch.tensor(rows)
