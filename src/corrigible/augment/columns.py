"""Move marked values of tables to other rows: in effect, a marked feature is permuted."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from corrigible.augment.chances import chances
from corrigible.explanations.marks.replacement import with_whole_categories
from corrigible.types import Batch, Columns

FAR = 4.0


@dataclass(frozen=True)
class ColumnCues:
    """The marked features of a table, or the marked inputs of vectors without named features."""

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

    Half of the rows take all features from one other row, the rest take each feature from a different row. In half of
    the rows, numbers that most masks mark are put `FAR` times as far from their mean: such a feature must not matter at
    any value, and a network unlearns its slope faster over a wider range. Categories are not stretched.
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
    x, is_far = batch.x, torch.rand(size, 1, generator=generator) < 0.5
    middle, is_number = cues.donors.float().mean(dim=0), ~_one_hot(batch)
    marked = with_whole_categories(own, batch.columns)
    for feature, columns in enumerate(cues.features):
        given = (is_given[:, feature, None] & columns) | (marked & columns)
        values = lenders[lender[:, feature]]
        if cues.chance[feature] >= 1:
            values = torch.where(is_far & is_number, middle + FAR * (values - middle), values)
        x = torch.where(given.to(x.device), values.to(x), x)
    return replace(batch, x=x)


def _one_hot(batch: Batch) -> Bool[Tensor, " column"]:
    names = batch.columns
    return torch.tensor(names.one_hot) if names is not None else torch.zeros(batch.x.shape[1], dtype=torch.bool)
