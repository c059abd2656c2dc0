"""How much the model relies on inputs that must not matter; 0 means not at all.

Rows on which nothing could be exchanged, because the other rows hold the same values there, are left out.
"""

from jaxtyping import Float
from torch import Tensor


def flip_rate(flipped: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Share of predictions that change when the irrelevant inputs are replaced by other rows' values."""
    return flipped.double().nanmean()


def swapped_accuracy(swapped_hits: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Share of predictions that are right when the irrelevant inputs are replaced by other rows' values."""
    return swapped_hits.double().nanmean()


def mean_shift(shift: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """How far predictions move when the irrelevant inputs are replaced by other rows' values, from 0 to 1.

    For classes the total variation distance, for several labels the largest change of a probability, for amounts the
    change in standard deviations of the labels, for counts and positive amounts the difference of the means as a share
    of the larger one, both at most 1.
    """
    return shift.double().nanmean()


def mean_loss(loss: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Mean loss of the labels, as the task defines it; lower is better."""
    return loss.double().mean()


def mean_swapped_loss(swapped_loss: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Mean loss of the labels when the irrelevant inputs are replaced by other rows' values; lower is better."""
    return swapped_loss.double().nanmean()


def attribution_overlap(attribution_share: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Mean share of absolute attribution that lies on irrelevant inputs, over the rows that have any attribution."""
    return attribution_share.double().nanmean()


def flip_effect(
    probs: Float[Tensor, " n num_classes"], reflected_probs: Float[Tensor, " n num_classes"]
) -> Float[Tensor, ""]:
    """Mean total variation distance between the probabilities before and after reflecting the irrelevant inputs.

    ½ Σ |p − p′|, in [0, 1]. For an input that is 0 or 1, reflecting is flipping it.
    """
    return (probs.double() - reflected_probs.double()).abs().sum(dim=1).nanmean() / 2
