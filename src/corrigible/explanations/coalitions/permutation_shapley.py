"""Castro, Gómez and Tejada 2009, Polynomial calculation of the Shapley value based on sampling.

Each order is also taken backwards (Mitchell, Cooper, Frank and Holmes 2022, section 4.1).
"""

from collections.abc import Iterator
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.explanations.coalitions._by_coalition import MOST_SINGLE, by_coalition
from corrigible.explanations.counts import require_room
from corrigible.explanations.games.evaluate import explained
from corrigible.explanations.games.game import MOST_PLANNED, Game, Plan


@partial(by_coalition, most_single=MOST_SINGLE)
def permutation_shapley(game: Game, *, samples: int = 10) -> Float[Tensor, " batch *input"]:
    """Shapley values from sampled orders: each group's mean contribution when it joins; all rows share the orders.

    The values sum exactly to the row's score minus the score with everything absent, however few the orders. Costs
    2 · samples · (groups − 1) + 2 changed rows per row.

    Args:
        samples: number of orders; each is also used backwards.

    Raises:
        RecipeError: no samples.
    """
    return explained(game, partial(permutation_plans_of, samples=samples, seed=game.question.seed))


def permutation_plans_of(num_groups: int, *, samples: int, seed: int) -> Iterator[Plan]:
    """The coalitions along each order, a few orders at a time; a group's contribution is the change when it joins.

    Raises:
        RecipeError: no samples.
    """
    require_room("samples", samples, num_groups)
    generator = torch.Generator().manual_seed(seed)
    forwards = torch.stack([torch.randperm(num_groups, generator=generator) for _ in range(samples)])
    place = torch.cat([forwards, forwards.flip(1)]).argsort(dim=1)
    # The empty and the full coalition are common to every order.
    ends = torch.stack([-(place == 0).double().mean(dim=0), (place == num_groups - 1).double().mean(dim=0)])
    yield Plan(torch.tensor([False, True])[:, None].expand(2, num_groups), ends)
    after = torch.arange(1, num_groups)[:, None]
    for some in place[:, None].split(max(MOST_PLANNED // num_groups, 1)) if num_groups > 1 else ():
        steps = (some == after - 1).double() - (some == after).double()
        yield Plan((some < after).flatten(0, 1), steps.flatten(0, 1) / len(place))
