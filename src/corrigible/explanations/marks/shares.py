"""How much of a row's attribution lies where."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def share_on(
    attribution: Float[Tensor, " batch *input"], weight: Float[Tensor, " batch *input"]
) -> Float[Tensor, " batch"]:
    """The weighted share of an attribution: its sum under weights from 0 to 1, divided by its total.

    The attribution must be at least 0. The share has no unit: attributions of any scale give the same share. It is 0,
    with gradients of 0, if the attribution is 0 everywhere.
    """
    whole = attribution.flatten(1).sum(dim=1)
    is_something = whole > negligible(whole.dtype)
    return (attribution * weight).flatten(1).sum(dim=1) * is_something / whole.where(is_something, 1.0)


def negligible(dtype: torch.dtype) -> float:
    """The size up to which attributions count as none: dividing by them would make second derivatives overflow.

    4e-29 in float32; for a row that is predicted with a margin of 70, the probability of another class is as small.
    """
    return float(torch.finfo(dtype).tiny ** 0.75)


def directions(gradient: Float[Tensor, " batch input"]) -> Float[Tensor, " batch input"]:
    """Each row scaled to length 1; negligible rows become 0 and have gradients of 0."""
    # Divided by its largest entry, no gradient is too small to be squared; the direction stays the same.
    scale = gradient.detach().abs().amax(dim=1, keepdim=True)
    is_something = scale > negligible(scale.dtype)
    gradient = gradient * is_something / scale.where(is_something, 1.0)
    # Where the length is 0 the root is taken of 1 instead, because the root is infinitely steep at 0.
    length = gradient.square().sum(dim=1, keepdim=True)
    return gradient / length.where(length > 0, 1.0).sqrt()


def mean_over_marked(values: Float[Tensor, " batch"], marked: Bool[Tensor, " batch *input"]) -> Float[Tensor, ""]:
    """The mean over the rows on which anything is marked; 0 where there is no such row."""
    counts = marked.flatten(1).any(dim=1)
    return (values * counts).sum() / counts.sum().clamp_min(1)
