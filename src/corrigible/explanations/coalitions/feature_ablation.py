"""Zintgraf, Cohen, Adel and Welling 2017, Visualizing deep neural network decisions, equation 1, as a difference
of scores: the loss of score when one group is absent.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.explanations.coalitions._by_coalition import by_coalition
from corrigible.explanations.games.evaluate import explained
from corrigible.explanations.games.game import Game, Plan


@by_coalition
def feature_ablation(game: Game) -> Float[Tensor, " batch *input"]:
    """How far the score drops when one group is absent and all others are present."""
    return explained(game, lambda num_groups: [ablation_plan_of(num_groups)])


def ablation_plan_of(num_groups: int) -> Plan:
    """The score of the whole row minus that of all groups but one, for each group."""
    single = torch.eye(num_groups)
    present = torch.cat([torch.ones(1, num_groups), 1 - single]).bool()
    return Plan(present, torch.cat([torch.ones(1, num_groups), -single]))
