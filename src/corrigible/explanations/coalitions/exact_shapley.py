"""Shapley 1953, A value for n-person games; as an explanation, Štrumbelj and Kononenko 2010, equation 3."""

from math import comb

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.errors import RecipeError
from corrigible.explanations.baselines import Baseline
from corrigible.explanations.games.evaluate import explained
from corrigible.explanations.games.game import Plan, all_coalitions, game_of
from corrigible.explanations.games.removal import Absent
from corrigible.explanations.groups import Groups
from corrigible.explanations.question import Question
from corrigible.models.forward import Score
from corrigible.types import Columns

MOST_GROUPS = 16


def exact_shapley(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    groups: Groups = None,
    baseline: Baseline = None,
    background: Tensor | None = None,
    absent: Absent = "marginal",
    score: str | Score = "target_logit",
    columns: Columns | None = None,
    seed: int = 0,
    differentiable: bool = False,
    rows_at_once: int = 256,
) -> Float[Tensor, " batch *input"]:
    """Exact Shapley values: each group's mean contribution over all orders of joining, from all 2ⁿ coalitions.

    The values sum to the row's score minus the score with everything absent.

    Args:
        groups: see `corrigible.explanations.groups`; at most 16.
        baseline: what stands for absent inputs: None for zeros (1/k in a category's k columns); a number, or a
            tensor that broadcasts to one row.
        background: rows of data that stand for absent inputs instead of a baseline, chosen as ``absent`` says.

    Raises:
        RecipeError: more than 16 groups.
        DataError: groups, a baseline or a background that do not fit.
    """
    game = game_of(
        Question(model, x, target, score, seed, rows_at_once, differentiable),
        groups=groups, columns=columns, baseline=baseline, background=background, absent=absent,
    )  # fmt: skip
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
