"""Lundberg and Lee 2017, A unified approach to interpreting model predictions, section 4.1.

The weighted regression is solved in closed form with its two constraints (Covert and Lee 2021, Improving KernelSHAP,
equation 7). The solution is linear in the coalitions' values, so one solution serves every row.
"""

from collections.abc import Iterator
from functools import partial
from itertools import combinations
from math import comb

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from corrigible.explanations.coalitions._by_coalition import MOST_SINGLE, by_coalition
from corrigible.explanations.counts import require_room, say_if_few
from corrigible.explanations.games.evaluate import explained
from corrigible.explanations.games.game import MOST_PLANNED, Game, Plan, all_coalitions


@partial(by_coalition, most_single=MOST_SINGLE)
def kernel_shap(game: Game, *, samples: int = 2048) -> Float[Tensor, " batch *input"]:
    """Shapley values by weighted regression on sampled coalitions, which all rows share.

    The values sum exactly to the row's score minus the score with everything absent. With
    as many samples as there are coalitions they are exact.

    Args:
        samples: coalitions besides the empty and the full one; at least 2. With fewer samples than groups the values
            are underdetermined, and the smallest solution is given.

    Raises:
        RecipeError: fewer than 2 samples.
    """
    return explained(game, partial(kernel_plans_of, samples=samples, seed=game.question.seed))


def kernel_plans_of(num_groups: int, *, samples: int, seed: int) -> Iterator[Plan]:
    """The regression as weights of the coalitions' values, in parts; the empty and the full coalition come first.

    Raises:
        RecipeError: fewer than 2 samples.
    """
    require_room("samples", samples, num_groups, least=2)
    say_if_few(samples, num_groups)
    coalitions = kernel_coalitions_of(num_groups, samples=samples, seed=seed)
    parts = list(zip(*(part.split(MOST_PLANNED) for part in coalitions), strict=True))
    inverse = torch.linalg.pinv(sum((_weighted(*part).T @ part[0].double() for part in parts), 0.0), hermitian=True)
    fit_of_sum = inverse @ sum(_weighted(*part).sum(dim=0) for part in parts)
    ones = torch.ones(num_groups, dtype=torch.float64)
    # ``spread`` distributes what the constraint leaves over: φ = fit·(v − v₀) + spread·((v₁ − v₀) − 1ᵀ·fit·(v − v₀)).
    spread = inverse @ ones
    spread = spread / spread.sum() if len(coalitions[0]) else ones / num_groups
    of_none = spread * fit_of_sum.sum() - fit_of_sum - spread
    yield Plan(torch.tensor([False, True])[:, None].expand(2, num_groups), torch.stack([of_none, spread]))
    for present, weight in parts:
        fit = inverse @ _weighted(present, weight).T
        yield Plan(present, (fit - spread[:, None] * fit.sum(dim=0)).T)


def _weighted(present: Tensor, weight: Tensor) -> Float[Tensor, " coalition group"]:
    return present.double() * weight[:, None]


def kernel_coalitions_of(
    num_groups: int, *, samples: int, seed: int
) -> tuple[Bool[Tensor, " coalition group"], Float[Tensor, " coalition"]]:
    """Coalitions other than the empty and the full one, with their weights in the regression.

    Sizes small enough to be drawn completely are included completely, smallest and largest sizes first. The others are
    sampled by the Shapley kernel, each coalition together with its complement.
    """
    sizes = torch.arange(1, num_groups)
    mass = (num_groups - 1) / (sizes * (num_groups - sizes)).double()
    if 2**num_groups - 2 <= samples:
        present = all_coalitions(num_groups)[1:-1]
        of_one = mass / torch.tensor([comb(num_groups, int(size)) for size in sizes], dtype=torch.float64)
        return present, of_one[present.sum(dim=1) - 1]
    whole, weights, left = [], [], samples
    for small in range(1, num_groups // 2 + 1):
        pair = sorted({small, num_groups - small})
        needed = len(pair) * comb(num_groups, small)
        share = mass[small - 1] * len(pair) / mass.sum()
        if left * share < needed or left - needed < 2:
            break
        chosen = torch.tensor(list(combinations(range(num_groups), small)))
        of_size = torch.zeros(len(chosen), num_groups, dtype=torch.bool).scatter_(1, chosen, True)
        for size in pair:
            whole.append(of_size if size == small else ~of_size)
            weights.append(mass[size - 1].expand(len(chosen)) / len(chosen))
        left, mass = left - needed, mass.index_fill(0, torch.tensor(pair) - 1, 0.0)
    sampled, times = _sampled(mass, left, seed).unique(dim=0, return_counts=True)
    return torch.cat([*whole, sampled]), torch.cat([*weights, mass.sum() * times / times.sum()])


def _sampled(mass: Tensor, num_coalitions: int, seed: int) -> Bool[Tensor, " coalition group"]:
    """About ``num_coalitions`` different coalitions, complements included; ``mass`` weights their sizes."""
    generator = torch.Generator().manual_seed(seed)
    num_pairs = max(num_coalitions // 2, 1)
    size = torch.multinomial(mass, 4 * num_pairs, replacement=True, generator=generator) + 1
    num_groups = len(mass) + 1
    places = (
        torch.rand(len(some), num_groups, generator=generator).argsort(dim=1) for some in size.split(MOST_PLANNED)
    )
    present = torch.cat([place < some[:, None] for place, some in zip(places, size.split(MOST_PLANNED), strict=True)])
    _, pair = (present ^ present[:, :1]).unique(dim=0, return_inverse=True)
    draw = torch.arange(len(pair))
    first = draw.new_full((int(pair.max()) + 1,), len(pair)).scatter_reduce(0, pair, draw, "amin").sort().values
    # Stop before the first pair that is too many.
    present = present[: first[num_pairs]] if len(first) > num_pairs else present
    return torch.stack([present, ~present], dim=1).flatten(0, 1)
