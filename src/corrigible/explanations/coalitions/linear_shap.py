"""Štrumbelj and Kononenko 2014, Explaining prediction models and individual predictions with feature contributions,
equation 8: Shapley values of a model that is a sum over its inputs.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.errors import UnsupportedModelError
from corrigible.explanations.coalitions._by_coalition import by_coalition
from corrigible.explanations.games.evaluate import evaluated
from corrigible.explanations.games.game import Game, Plan
from corrigible.explanations.groups import shared_evenly

TOLERANCE = 1e-4
"""Allowed difference of the two ways to measure a contribution, relative to the largest contribution."""
ROUNDING = 8
"""Further allowed difference, in rounding errors of the score."""


@by_coalition
def linear_shap(
    game: Game, *, absent: Literal["marginal", "independent"] = "marginal"
) -> Float[Tensor, " batch *input"]:
    """Exact Shapley values of a score that is linear in its groups: weight × (value − mean value of an absent group).

    Costs 2 · groups + 2 changed rows per row: each contribution is measured with no other group present and with all
    others present, and the two must agree.

    Args:
        absent: the ways to fill in absent groups that keep a linear score linear.

    Raises:
        UnsupportedModelError: the score is not a sum over the groups.
    """
    found = evaluated(game, [linear_plan_of(game.num_groups)])
    alone, among_others, whole = found.split([game.num_groups, game.num_groups, 1], dim=1)
    difference, largest = ((alone - among_others).abs().max().item(), among_others.abs().max().item())
    # A large intercept costs digits of every difference of scores.
    rounding = ROUNDING * torch.finfo(found.dtype).eps * whole.abs().max().item()
    if difference > TOLERANCE * largest + rounding:
        raise UnsupportedModelError(
            f"the score is not a sum over the inputs (a contribution differs by {difference:.3g} with the other "
            "inputs); linear_shap is for linear models: choose kernel_shap"
        )
    return shared_evenly(among_others, game.labels)


def linear_plan_of(num_groups: int) -> Plan:
    """What each group adds to the empty coalition, what the full one loses without it, and the full one's score."""
    single = torch.eye(num_groups)
    none, every = torch.zeros(1, num_groups), torch.ones(1, num_groups)
    adds = torch.cat([-every, single, none, 0 * single])
    loses = torch.cat([none, 0 * single, every, -single])
    whole = torch.cat([none, 0 * single, every, 0 * single])[:, :1]
    return Plan(torch.cat([none, single, every, 1 - single]).bool(), torch.cat([adds, loses, whole], dim=1))
