"""From the columns of an encoded table to its features."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.errors import DataError
from corrigible.types import Columns


def by_feature(attribution: Float[Tensor, " batch column"], columns: Columns) -> Float[Tensor, " batch feature"]:
    """Absolute attribution summed over the columns of each feature, in the order of ``columns.features``.

    Raises:
        DataError: the attribution has another number of columns than the table.
    """
    check_columns(attribution, columns)
    sums = attribution.new_zeros(len(attribution), len(columns.features))
    return sums.index_add(1, feature_index(columns).to(attribution.device), attribution.abs())


def feature_index(columns: Columns) -> Int[Tensor, " column"]:
    """The position in ``columns.features`` of each column's feature."""
    place = {feature: position for position, feature in enumerate(columns.features)}
    return torch.tensor([place[feature] for feature in columns.feature])


def plain_columns(count: int) -> Columns:
    """Columns without names of their own, each a feature by itself."""
    names = tuple(f"input {place}" for place in range(count))
    return Columns(names, names, (False,) * count)


def check_columns(x: Tensor, columns: Columns) -> None:
    """Raises DataError when the columns are not those of ``x``."""
    if x.ndim != 2 or x.shape[1] != len(columns.feature):
        raise DataError(f"x has shape {tuple(x.shape)}; expected (batch, {len(columns.feature)}): one per named column")
