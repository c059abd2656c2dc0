"""Shapley 1953, A value for n-person games; as an explanation, Štrumbelj and Kononenko 2010, equation 3."""

from functools import partial
from math import comb

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.errors import RecipeError
from corrigible.explanations.coalitions._by_coalition import by_coalition
from corrigible.explanations.games.evaluate import explained
from corrigible.explanations.games.game import Game, Plan, all_coalitions

MOST_GROUPS = 16


@partial(by_coalition, most_single=MOST_GROUPS)
def exact_shapley(game: Game) -> Float[Tensor, " batch *input"]:
    """Exact Shapley values: each group's mean contribution over all orders of joining, from all 2ⁿ coalitions.

    The values sum to the row's score minus the score with everything absent.

    Raises:
        RecipeError: more than 16 groups.
    """
    if game.num_groups > MOST_GROUPS:
        raise RecipeError(
            f"{game.num_groups} groups have 2^{game.num_groups} coalitions; expected at most {MOST_GROUPS}: "
            "form groups, or choose kernel_shap or permutation_shapley"
        )
    return explained(game, lambda num_groups: [exact_plan_of(num_groups)])


def exact_plan_of(num_groups: int) -> Plan:
    """All coalitions, weighted by the share of orders in which a group joins exactly then."""
    present = all_coalitions(num_groups)
    size = present.sum(dim=1)
    orders = [1 / (num_groups * comb(num_groups - 1, before)) for before in range(num_groups)]
    weight = torch.tensor([0.0, *orders, 0.0], dtype=torch.float64)
    joined, about_to_join = weight[size][:, None], weight[size + 1][:, None]
    return Plan(present, torch.where(present, joined, -about_to_join))
