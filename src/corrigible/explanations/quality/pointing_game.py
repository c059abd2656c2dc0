"""Zhang, Bargal, Lin, Brandt, Shen and Sclaroff 2018, Top-down neural attention by excitation backprop, section 4.2."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from corrigible.explanations.quality._given import are_some, marked_of, sizes_of


def pointing_game(
    attribution: Float[Tensor, " batch *input"], relevant: Bool[Tensor, " ..."]
) -> Float[Tensor, " batch"]:
    """1 where the input of largest |attribution| is marked as relevant, otherwise 0; its mean over rows is an accuracy.

    If several inputs are largest, the result is the share of them that is marked, as for pointing at one of them at
    random. NaN without marked and unmarked inputs, or any
    attribution.

    Args:
        relevant: in the shape of the attribution, or one that broadcasts to it.

    Raises:
        DataError: an attribution that is NaN or infinite, marks that do not fit.
    """
    size, marked = sizes_of(attribution), marked_of(relevant, attribution)
    largest = size == size.amax(dim=1, keepdim=True)
    hits = (largest & marked).sum(dim=1).double() / largest.sum(dim=1)
    return torch.where(size.any(dim=1) & are_some(marked), hits, torch.nan)
