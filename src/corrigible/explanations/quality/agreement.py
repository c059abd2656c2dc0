"""Krishna et al. 2022, The disagreement problem in explainable machine learning: a practitioner's perspective.

Section 3. Spearman's correlation compares the attributions themselves; the two other measures compare largest sizes.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.errors import RecipeError, unknown
from corrigible.explanations.quality._given import pair_of
from corrigible.explanations.quality._order import order_of, top_count_of, top_share_of

Kind = Literal["rank_correlation", "top_agreement", "sign_agreement"]


def agreement(
    attribution_a: Float[Tensor, " batch ..."],
    attribution_b: Float[Tensor, " batch ..."],
    *,
    kind: Kind = "rank_correlation",
    top: int | None = None,
) -> Float[Tensor, " batch"]:
    """How far two attributions of the same rows agree, by the measure that ``kind`` names; 1 for equal attributions.

    Args:
        top: for the two kinds about the top inputs; see `top_agreement`.

    Raises:
        RecipeError: an unknown kind, a ``top`` for a kind that has none.
        DataError: see `rank_correlation`.
    """
    if kind == "rank_correlation":
        if top is not None:
            raise RecipeError(f"top is {top}; a rank correlation is about all inputs: leave it out")
        return rank_correlation(attribution_a, attribution_b)
    if kind == "top_agreement":
        return top_agreement(attribution_a, attribution_b, top=top)
    if kind == "sign_agreement":
        return sign_agreement(attribution_a, attribution_b, top=top)
    raise RecipeError(unknown("kind", kind, ("rank_correlation", "top_agreement", "sign_agreement")))


def rank_correlation(
    attribution_a: Float[Tensor, " batch ..."], attribution_b: Float[Tensor, " batch ..."]
) -> Float[Tensor, " batch"]:
    """Spearman's correlation of the attributions, sign included, over each row's inputs; ties get their mean rank.

    NaN where one of the two attributions is the same for all inputs.

    Raises:
        DataError: attributions of different shape, NaN or infinite.
    """
    first, second = pair_of(attribution_a, attribution_b)
    return (scaled_ranks_of(first) * scaled_ranks_of(second)).sum(dim=1)


def top_agreement(
    attribution_a: Float[Tensor, " batch ..."], attribution_b: Float[Tensor, " batch ..."], *, top: int | None = None
) -> Float[Tensor, " batch"]:
    """Share of the ``top`` inputs of largest |attribution| that are in both tops.

    An input that ties at the last place belongs to a top by a share; the smaller of its two shares counts as common.
    NaN where one of the two has no attribution at all.

    Args:
        top: how many inputs; None for a tenth of them.

    Raises:
        RecipeError: a ``top`` below 1 or above the number of inputs.
        DataError: see `rank_correlation`.
    """
    first, second = pair_of(attribution_a, attribution_b)
    return _common(first, second, top).sum(dim=1)


def sign_agreement(
    attribution_a: Float[Tensor, " batch ..."], attribution_b: Float[Tensor, " batch ..."], *, top: int | None = None
) -> Float[Tensor, " batch"]:
    """Share of the ``top`` inputs of largest |attribution| that are in both tops and have the same sign in both.

    For ties, arguments and errors see `top_agreement`.
    """
    first, second = pair_of(attribution_a, attribution_b)
    return (_common(first, second, top) * (first.sign() == second.sign())).sum(dim=1)


def scaled_ranks_of(values: Float[Tensor, " batch inputs"]) -> Float[Tensor, " batch inputs"]:
    """Mean ranks, centred and scaled to length 1, so that products sum to a correlation; NaN where all values tie."""
    order = order_of(values)
    ranks = order.above + (order.ties - 1) / 2 - (values.shape[1] - 1) / 2
    scaled: Tensor = ranks / ranks.norm(dim=1, keepdim=True)
    return scaled


def _common(first: Tensor, second: Tensor, top: int | None) -> Tensor:
    """The share by which each input is in both tops, divided by the size of a top."""
    count = top_count_of(top, first.shape[1])
    counts = torch.full((len(first), 1), float(count), dtype=torch.float64)
    shares = [top_share_of(values.abs(), counts) for values in (first, second)]
    is_defined = (first.any(dim=1) & second.any(dim=1))[:, None]
    return torch.where(is_defined, torch.minimum(*shares) / count, torch.nan)
