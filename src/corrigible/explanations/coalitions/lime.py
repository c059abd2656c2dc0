"""Ribeiro, Singh and Guestrin 2016, "Why should I trust you?": explaining the predictions of any classifier,
equation 1.

The locally weighted linear model is a ridge regression on which groups are present. It is linear in the coalitions'
values, so that one solution serves every row.
"""

from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.errors import RecipeError
from corrigible.explanations.baselines import Baseline
from corrigible.explanations.games.absence import Absent
from corrigible.explanations.games.game import Plan, game_of
from corrigible.explanations.games.playing import explained
from corrigible.explanations.groups import Groups
from corrigible.types import Columns


def lime(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    samples: int = 1000,
    kernel_width: float = 0.25,
    ridge: float = 1.0,
    groups: Groups = None,
    baseline: Baseline = None,
    background: Tensor | None = None,
    absent: Absent = "marginal",
    score: str = "target_logit",
    columns: Columns | None = None,
    seed: int = 0,
    differentiable: bool = False,
    rows_at_once: int = 256,
) -> Float[Tensor, " batch *input"]:
    """Coefficients of a linear model of the score near the row, in which groups are present or absent.

    Args:
        samples: coalitions, each group present in half of them, and the whole row; at least 2.
        kernel_width: how fast a coalition's weight falls with its distance d from the whole row: √exp(−d²/width²), d
            the cosine distance.
        ridge: penalty on the squared coefficients.
        groups: see `corrigible.explanations.groups`: segments of an image, words of a text.
        baseline: what stands for absent inputs: None for zeros, a number, or a tensor that broadcasts to one row.
        background: rows of data that stand for absent inputs instead, in the way that ``absent`` names.

    Raises:
        RecipeError: fewer than 2 samples, a width or ridge that is not positive.
        DataError: groups, a baseline or a background that do not fit.
    """
    game = game_of(
        model, x, target, groups=groups, columns=columns, baseline=baseline, background=background, absent=absent,
        score=score, seed=seed, differentiable=differentiable, rows_at_once=rows_at_once,
    )  # fmt: skip
    plan_for = partial(lime_plan_of, samples=samples, kernel_width=kernel_width, ridge=ridge, seed=seed)
    return explained(game, plan_for)


def lime_plan_of(num_groups: int, *, samples: int, kernel_width: float, ridge: float, seed: int) -> Plan:
    """Random coalitions and the ridge regression on them.

    Raises:
        RecipeError: fewer than 2 samples, a width or ridge that is not positive.
    """
    if samples < 2 or kernel_width <= 0 or ridge <= 0:
        raise RecipeError(
            f"samples is {samples}, kernel_width {kernel_width}, ridge {ridge}; expected 2 or more and positive numbers"
        )
    generator = torch.Generator().manual_seed(seed)
    present = torch.rand(samples, num_groups, generator=generator) < 0.5
    present[0] = True
    z = present.double()
    distance = 1 - (z.sum(dim=1) / num_groups).sqrt()
    weight = (-((distance / kernel_width) ** 2)).exp().sqrt()
    centred = z - (weight @ z) / weight.sum()
    squares = (centred * weight[:, None]).T @ centred + ridge * torch.eye(num_groups, dtype=torch.float64)
    return Plan(present, torch.linalg.solve(squares, (centred * weight[:, None]).T).T)
