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


def directions(gradient: Float[Tensor, " batch input"]) -> Float[Tensor, " batch input"]:
    """Each row at length 1; rows of 0, or of what is negligible, are 0 and have gradients of 0."""
    # At the scale of its largest entry no gradient is too small to be squared; a direction knows no scale.
    scale = gradient.detach().abs().amax(dim=1, keepdim=True)
    is_something = scale > negligible(scale.dtype)
    gradient = gradient * is_something / scale.where(is_something, 1.0)
    # The root is taken of 1 where the length is 0, at which it is infinitely steep.
    length = gradient.square().sum(dim=1, keepdim=True)
    return gradient / length.where(length > 0, 1.0).sqrt()


def mean_over_marked(values: Float[Tensor, " batch"], marked: Bool[Tensor, " batch *input"]) -> Float[Tensor, ""]:
    """The mean over the rows on which anything is marked; 0 where there is no such row."""
    counts = marked.flatten(1).any(dim=1)
    return (values * counts).sum() / counts.sum().clamp_min(1)
