"""How much of a row's attribution lies where."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def share_on(
    attribution: Float[Tensor, " batch *input"], weight: Float[Tensor, " batch *input"]
) -> Float[Tensor, " batch"]:
    """The sum of an attribution of at least 0 under weights of 0 to 1, over its whole sum.

    Without unit: attributions of any scale give the same share. 0, with gradients of 0, where the attribution is 0.
    """
    whole = attribution.flatten(1).sum(dim=1)
    is_something = whole > negligible(whole.dtype)
    return (attribution * weight).flatten(1).sum(dim=1) * is_something / whole.where(is_something, 1.0)


def negligible(dtype: torch.dtype) -> float:
    """Attributions no larger than this count as none: divided by them, gradients of gradients would overflow.

    4e-29 in float32. The probability of another class than that of a row predicted with a margin of 70 is as small.
    """
    return float(torch.finfo(dtype).tiny ** 0.75)


def mean_over_marked(values: Float[Tensor, " batch"], marked: Bool[Tensor, " batch *input"]) -> Float[Tensor, ""]:
    """The mean over the rows on which anything is marked; 0 where there is no such row."""
    counts = marked.flatten(1).any(dim=1)
    return (values * counts).sum() / counts.sum().clamp_min(1)
