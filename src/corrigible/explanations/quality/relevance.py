"""Arras, Osman and Samek 2022, CLEVR-XAI: a benchmark dataset for the ground truth evaluation of neural network
explanations, equations 4 and 5.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from corrigible.explanations.quality._given import are_some, marked_of, sizes_of
from corrigible.explanations.quality._order import top_share_of


def relevance_mass(
    attribution: Float[Tensor, " batch *input"], relevant: Bool[Tensor, " ..."]
) -> Float[Tensor, " batch"]:
    """Share of |attribution| that lies on the inputs marked as relevant.

    NaN without marked inputs, without unmarked ones, or without any attribution.

    Args:
        relevant: in the shape of the attribution, or one that broadcasts to it.

    Raises:
        DataError: an attribution that is NaN or infinite, marks that do not fit.
    """
    size, marked = sizes_of(attribution), marked_of(relevant, attribution)
    share = (size * marked).sum(dim=1) / size.sum(dim=1)
    return torch.where(are_some(marked), share, torch.nan)


def relevance_rank(
    attribution: Float[Tensor, " batch *input"], relevant: Bool[Tensor, " ..."]
) -> Float[Tensor, " batch"]:
    """Share of the K inputs of largest |attribution| that are marked as relevant, where K inputs are marked.

    Inputs that tie at the K-th place count by the same share. NaN without marked and unmarked inputs, or any
    attribution.

    Args:
        relevant: in the shape of the attribution, or one that broadcasts to it.

    Raises:
        DataError: an attribution that is NaN or infinite, marks that do not fit.
    """
    size, marked = sizes_of(attribution), marked_of(relevant, attribution)
    num_marked = marked.sum(dim=1, keepdim=True).double()
    found = (top_share_of(size, num_marked) * marked).sum(dim=1) / num_marked[:, 0]
    return torch.where(size.any(dim=1) & are_some(marked), found, torch.nan)
