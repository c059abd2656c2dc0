"""Ribeiro, Singh and Guestrin 2016, "Why should I trust you?": explaining the predictions of any classifier,
equation 1.

The locally weighted linear model is a ridge regression on the presence of groups. It is linear in the coalitions'
values, so one solution serves every row.
"""

from collections.abc import Iterator
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.errors import RecipeError
from corrigible.explanations.coalitions._by_coalition import MOST_SINGLE, by_coalition
from corrigible.explanations.counts import require_room, say_if_few
from corrigible.explanations.games.evaluate import explained
from corrigible.explanations.games.game import MOST_PLANNED, Game, Plan


@partial(by_coalition, most_single=MOST_SINGLE)
def lime(
    game: Game, *, samples: int = 1000, kernel_width: float = 0.25, ridge: float = 1.0
) -> Float[Tensor, " batch *input"]:
    """LIME: the coefficients of a linear model of the score near the row, in which groups are present or absent.

    Args:
        samples: the whole row and random coalitions, in which each group is present with probability 1/2; at least 2.
        kernel_width: how slowly a coalition's weight falls with its cosine distance d from the whole row:
            √exp(−d²/width²).
        ridge: penalty on the squared coefficients.

    Raises:
        RecipeError: fewer than 2 samples, a width or ridge that is not positive.
    """
    plans_for = partial(lime_plans_of, samples=samples, kernel_width=kernel_width, ridge=ridge, seed=game.question.seed)
    return explained(game, plans_for)


def lime_plans_of(num_groups: int, *, samples: int, kernel_width: float, ridge: float, seed: int) -> Iterator[Plan]:
    """Random coalitions and the ridge regression on them, in parts.

    Raises:
        RecipeError: fewer than 2 samples, a width or ridge that is not positive.
    """
    require_room("samples", samples, num_groups, least=2)
    say_if_few(samples, num_groups)
    for name, value in (("kernel_width", kernel_width), ("ridge", ridge)):
        if not value > 0:
            raise RecipeError(f"{name} is {value}; expected a number above 0")
    generator = torch.Generator().manual_seed(seed)
    present = torch.rand(samples, num_groups, generator=generator) < 0.5
    present[0] = True
    distance = 1 - (present.sum(dim=1) / num_groups).double().sqrt()
    weight = (-((distance / kernel_width) ** 2)).exp().sqrt()
    parts = list(zip(present.split(MOST_PLANNED), weight.split(MOST_PLANNED), strict=True))
    middle = sum(share @ part.double() for part, share in parts) / weight.sum()
    squares = ridge * torch.eye(num_groups, dtype=torch.float64)
    for part, share in parts:
        centred = part.double() - middle
        squares = squares + (centred * share[:, None]).T @ centred
    for part, share in parts:
        yield Plan(part, torch.linalg.solve(squares, ((part.double() - middle) * share[:, None]).T).T)
