"""From the columns of an encoded table to its features, and from pairs of columns to pairs of features."""

from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.errors import DataError
from corrigible.models.centring import one_hot_members
from corrigible.types import Columns


def by_feature(attribution: Float[Tensor, " batch column"], columns: Columns) -> Float[Tensor, " batch feature"]:
    """Absolute attribution summed over the columns of each feature, in the order of ``columns.features``.

    Raises:
        DataError: the attribution has another number of columns than the table.
    """
    return _summed(attribution.abs(), columns)


def mean_sizes(attribution: Float[Tensor, " batch *input"], columns: Columns | None) -> Float[Tensor, " feature"]:
    """Mean absolute attribution of each feature over rows, in the order of ``columns.features``.

    The attribution of a category is the sum over its columns. Without ``columns`` every input is a feature, in the
    order of the flattened row.
    """
    if columns is None:
        return attribution.flatten(1).abs().mean(dim=0)
    return _summed(attribution, columns).abs().mean(dim=0)


def _summed(attribution: Tensor, columns: Columns) -> Float[Tensor, " batch feature"]:
    check_columns(attribution, columns)
    sums = attribution.new_zeros(len(attribution), len(columns.features))
    return sums.index_add(1, feature_index(columns).to(attribution.device), attribution)


def shared_by_category(
    attribution: Float[Tensor, " *batch column"], columns: Columns | None
) -> Float[Tensor, " *batch column"]:
    """The attribution with each category's sum divided evenly among its columns; other inputs keep theirs.

    The columns of a category never change alone. The attribution of a single column includes whatever all of the
    columns have in common; in their sum this cancels, and the attribution of the category remains.
    """
    if columns is None or not columns.has_categories:
        return attribution
    member = one_hot_members(columns).to(attribution)
    shared = attribution @ member / member.sum(0) @ member.T
    return torch.where(member.sum(1) > 0, shared, attribution)


def feature_index(columns: Columns) -> Int[Tensor, " column"]:
    """The position in ``columns.features`` of each column's feature."""
    place = {feature: position for position, feature in enumerate(columns.features)}
    return torch.tensor([place[feature] for feature in columns.feature])


def feature_shares(
    attributions: Iterable[Float[Tensor, " _ *input"]], columns: Columns | None
) -> list[tuple[str, float]]:
    """Each feature's share of the absolute attribution of all rows, largest first; nothing without named features.

    Args:
        attributions: parts of the rows, one after the other; only a sum over them is kept.
    """
    if columns is None:
        return []
    sizes = torch.zeros(len(columns.features), dtype=torch.float64)
    for attribution in attributions:
        sizes += by_feature(attribution.double(), columns).sum(dim=0).cpu()
    shares = (sizes / sizes.sum().clamp_min(torch.finfo(sizes.dtype).tiny)).tolist()
    return sorted(zip(columns.features, shares, strict=True), key=lambda pair: -pair[1])


def separate_columns(names: Sequence[str]) -> Columns:
    """Columns with these names, each of which is a feature by itself.

    Raises:
        DataError: two columns of the same name.
    """
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise DataError(f"{twice!r} names two columns; expected different names, or Columns to join them")
    return Columns(tuple(names), tuple(names), (False,) * len(names))


def plain_columns(num_columns: int) -> Columns:
    """Columns without names of their own, each a feature by itself."""
    return separate_columns([f"input {place}" for place in range(num_columns)])


def check_columns(x: Tensor, columns: Columns) -> None:
    """Raises DataError if the columns are not those of ``x``."""
    if x.ndim != 2 or x.shape[1] != len(columns.feature):
        raise DataError(f"x has shape {tuple(x.shape)}; expected (batch, {len(columns.feature)}): one per named column")


def by_feature_pairs(
    interactions: Float[Tensor, " batch column column"], columns: Columns
) -> Float[Tensor, " batch feature feature"]:
    """Interactions summed over the columns of both features, signs kept, in the order of ``columns.features``.

    The sum over all pairs stays the same, so complete interactions stay complete.

    Raises:
        DataError: the interactions have another number of columns than the table.
    """
    check_columns(interactions[:, 0], columns)
    feature = feature_index(columns).to(interactions.device)
    num_features = len(columns.features)
    sums = interactions.new_zeros(len(interactions), num_features, interactions.shape[2])
    sums = sums.index_add(1, feature, interactions)
    return sums.new_zeros(len(sums), num_features, num_features).index_add(2, feature, sums)
