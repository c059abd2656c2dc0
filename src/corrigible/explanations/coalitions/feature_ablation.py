"""Zintgraf, Cohen, Adel and Welling 2017, Visualizing deep neural network decisions, equation 1, as a difference
of scores: the loss of score when one group is absent.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.explanations.baselines import Baseline
from corrigible.explanations.games.evaluate import explained
from corrigible.explanations.games.game import Plan, game_of
from corrigible.explanations.games.removal import Absent
from corrigible.explanations.groups import Groups
from corrigible.explanations.question import Question
from corrigible.models.forward import Score
from corrigible.types import Columns


def feature_ablation(
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
    """How far the score drops when one group is absent and all others are present.

    Args:
        groups: see `corrigible.explanations.groups`.
        baseline: what stands for absent inputs: None for zeros (1/k in a category's k columns); a number, or a
            tensor that broadcasts to one row.
        background: rows of data that stand for absent inputs instead of a baseline, chosen as ``absent`` says.

    Raises:
        DataError: groups, a baseline or a background that do not fit.
    """
    game = game_of(
        Question(model, x, target, score, seed, rows_at_once, differentiable),
        groups=groups, columns=columns, baseline=baseline, background=background, absent=absent,
    )  # fmt: skip
    return explained(game, lambda num_groups: [ablation_plan_of(num_groups)])


def ablation_plan_of(num_groups: int) -> Plan:
    """The score of the whole row minus that of all groups but one, for each group."""
    single = torch.eye(num_groups)
    present = torch.cat([torch.ones(1, num_groups), 1 - single]).bool()
    return Plan(present, torch.cat([torch.ones(1, num_groups), -single]))
