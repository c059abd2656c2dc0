"""Castro, Gómez and Tejada 2009, Polynomial calculation of the Shapley value based on sampling.

Each order is also taken backwards (Mitchell, Cooper, Frank and Holmes 2022, section 4.1).
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


def permutation_shapley(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    *,
    samples: int = 10,
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
    """Each group's mean contribution over sampled orders of joining, the same orders for every row.

    Sums exactly to the row's score less the score with everything absent, however few orders are taken. Costs
    2 · samples · (groups − 1) + 2 changed rows per row.

    Args:
        samples: orders, each of which is also taken backwards.
        groups: see `corrigible.explanations.groups`.
        baseline: what stands for absent inputs: None for zeros, a number, or a tensor that broadcasts to one row.
        background: rows of data that stand for absent inputs instead, in the way that ``absent`` names.

    Raises:
        RecipeError: no samples.
        DataError: groups, a baseline or a background that do not fit.
    """
    game = game_of(
        model, x, target, groups=groups, columns=columns, baseline=baseline, background=background, absent=absent,
        score=score, seed=seed, differentiable=differentiable, rows_at_once=rows_at_once,
    )  # fmt: skip
    return explained(game, partial(permutation_plan_of, samples=samples, seed=seed))


def permutation_plan_of(num_groups: int, *, samples: int, seed: int) -> Plan:
    """The coalitions along each order: a group's contribution is the step at which it joins.

    Raises:
        RecipeError: no samples.
    """
    if samples < 1:
        raise RecipeError(f"samples is {samples}; expected at least 1 order")
    generator = torch.Generator().manual_seed(seed)
    forwards = torch.stack([torch.randperm(num_groups, generator=generator) for _ in range(samples)])
    order = torch.cat([forwards, forwards.flip(1)])
    place = order.argsort(dim=1)
    # Inner coalitions of each order, after 1, 2, … groups have joined; none and all are common to every order.
    after = torch.arange(1, num_groups)
    inner = place[:, None, :] < after[:, None]
    joined, about_to_join = place[:, None, :] == after[:, None] - 1, place[:, None, :] == after[:, None]
    weights = (joined.double() - about_to_join.double()).flatten(0, 1)
    first, last = (place == 0).double().sum(0), (place == num_groups - 1).double().sum(0)
    ends = torch.tensor([False, True])[:, None].expand(2, num_groups)
    return Plan(torch.cat([inner.flatten(0, 1), ends]), torch.cat([weights, -first[None], last[None]]) / len(order))
