"""Quality of the explanations of the labels, averaged over the rows on which it is defined."""

from jaxtyping import Float
from torch import Tensor


def mean_deletion_auc(deletion: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Mean area under the score that is explained as the baseline row replaces inputs; lower is better.

    For classes this is the label's probability. The most attributed inputs are replaced first.
    """
    return deletion.double().nanmean()


def mean_insertion_auc(insertion: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Mean area under the score that is explained as inputs are put in; higher is better.

    For classes this is the label's probability. The most attributed inputs are put in first.
    """
    return insertion.double().nanmean()


def mean_sparseness(sparseness: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Mean Gini index of absolute attribution, over the rows that have any: near 1 if few inputs matter."""
    return sparseness.double().nanmean()


def pointing_game_accuracy(pointing: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Share of rows whose most attributed input is marked as relevant, of those with marks and attribution."""
    return pointing.double().nanmean()


def mean_relevance_mass(relevance_mass: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Mean share of absolute attribution that lies on relevant inputs, over the rows with marks and attribution."""
    return relevance_mass.double().nanmean()


def mean_relevance_rank(relevance_rank: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Mean share of relevant inputs among as many most attributed ones, over the rows with marks and attribution."""
    return relevance_rank.double().nanmean()
