"""Jaccard 1912, The distribution of the flora in the alpine zone: intersection over union."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from corrigible.explanations.quality._given import are_some, marked_of, sizes_of
from corrigible.explanations.quality._order import top_count_of, top_share_of


def top_overlap(
    attribution: Float[Tensor, " batch *input"], relevant: Bool[Tensor, " ..."], *, top: int | None = None
) -> Float[Tensor, " batch"]:
    """Intersection over union of the ``top`` inputs of largest |attribution| and the inputs marked as relevant.

    Inputs that tie at the last place count by the same share. NaN without marked and unmarked inputs, or any
    attribution.

    Args:
        relevant: in the shape of the attribution, or one that broadcasts to it.
        top: how many inputs; None for as many as are marked on that row.

    Raises:
        RecipeError: a ``top`` below 1 or above the number of inputs.
        DataError: an attribution that is NaN or infinite, marks that do not fit.
    """
    size, marked = sizes_of(attribution), marked_of(relevant, attribution)
    num_marked = marked.sum(dim=1, keepdim=True).double()
    count = num_marked if top is None else torch.full_like(num_marked, top_count_of(top, size.shape[1]))
    common = (top_share_of(size, count) * marked).sum(dim=1)
    overlap = common / (count + num_marked)[:, 0].sub(common)
    return torch.where(size.any(dim=1) & are_some(marked), overlap, torch.nan)
