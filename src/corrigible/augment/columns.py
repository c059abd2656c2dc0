"""What was marked in a table, ready to be given to other rows: a marked feature becomes a permutation."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from corrigible.augment.chances import chances
from corrigible.models.forward import one_hot_members
from corrigible.types import Batch, Columns


@dataclass(frozen=True)
class ColumnCues:
    """The marked features of a table, or inputs of vectors without named features."""

    reviewed: Float[Tensor, " reviewed column"]
    """Rows that carry the marks."""
    donors: Float[Tensor, " donor column"]
    """Rows drawn from the training data."""
    features: Bool[Tensor, " feature column"]
    """The columns of each marked feature."""
    chance: Float[Tensor, " feature"]
    """How often a label row gets other values of that feature."""


def column_cues(reviewed: Batch, donors: Float[Tensor, " donor column"]) -> ColumnCues:
    """The features marked on these rows, each with its chance (`chances`)."""
    assert reviewed.irrelevant is not None
    member = _members(reviewed.columns, reviewed.x.shape[1])
    num_rows = (reviewed.irrelevant.float() @ member.float() > 0).sum(dim=0)
    chosen = num_rows > 0
    return ColumnCues(reviewed.x, donors, member.T[chosen], chances(num_rows[chosen]))


def _members(columns: Columns | None, num_columns: int) -> Bool[Tensor, " column feature"]:
    """True where the column belongs to the feature."""
    if columns is None:
        return torch.eye(num_columns, dtype=torch.bool)
    features = columns.features
    return torch.tensor([[own == feature for feature in features] for own in columns.feature])


def with_columns_moved(
    batch: Batch, cues: ColumnCues, own: Bool[Tensor, " batch column"], generator: torch.Generator
) -> Batch:
    """The batch with other rows' values in its marked features; labels stay.

    Half of the rows take all features from one row, the others each feature from a row of its own.
    """
    size, num_features = len(batch.x), len(cues.features)
    is_joint = torch.rand(size, generator=generator) < 0.5
    lenders = torch.cat([cues.reviewed, cues.donors])
    # Reviewed rows and rows of the training data lend equally often.
    first, second = (
        torch.randint(len(part), (size, num_features), generator=generator) for part in (cues.reviewed, cues.donors)
    )
    from_reviewed = torch.rand(size, num_features, generator=generator) < 0.5
    lender = torch.where(from_reviewed, first, second + len(cues.reviewed))
    lender = torch.where(is_joint[:, None], lender[:, :1], lender)
    is_given = torch.rand(size, num_features, generator=generator) < cues.chance
    x = batch.x.clone()
    marked = own if batch.columns is None else _whole(own, batch.columns)
    for feature, columns in enumerate(cues.features):
        given = (is_given[:, feature, None] & columns) | (marked & columns)
        x = torch.where(given.to(x.device), lenders[lender[:, feature]].to(x), x)
    return replace(batch, x=x)


def _whole(marked: Bool[Tensor, " batch column"], columns: Columns) -> Bool[Tensor, " batch column"]:
    if not columns.has_categories:
        return marked
    member = one_hot_members(columns)
    return marked | ((marked.to(member) @ member) @ member.T > 0)
