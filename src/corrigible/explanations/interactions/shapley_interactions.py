"""Grabisch and Roubens 1999, An axiomatic approach to the concept of interaction among players, equation 4, for pairs.

Halved and with the rest on the diagonal as in Lundberg, Erion and Lee 2018, Consistent individualized feature
attribution for tree ensembles, equations 3 to 6.
"""

from collections.abc import Callable, Iterator
from itertools import combinations
from math import comb
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from corrigible.errors import RecipeError
from corrigible.explanations.baselines import Baseline
from corrigible.explanations.coalitions.exact_shapley import MOST_GROUPS as MOST_EXACT
from corrigible.explanations.coalitions.exact_shapley import exact_plan_of
from corrigible.explanations.coalitions.permutation_shapley import permutation_plans_of
from corrigible.explanations.counts import require_count
from corrigible.explanations.games.evaluate import by_number_of_groups, evaluated
from corrigible.explanations.games.game import Game, Plan, all_coalitions, game_of
from corrigible.explanations.games.removal import Absent
from corrigible.explanations.groups import Groups
from corrigible.explanations.passes import require_gradient
from corrigible.explanations.question import question_of
from corrigible.models.forward import Score
from corrigible.tasks import TaskChoice
from corrigible.types import Columns

MOST_PAIRED = 128
PAIRS_AT_ONCE = 64


def shapley_interactions(
    model: Callable[[Tensor], Any],
    x: Any,
    target: Any,
    *,
    samples: int = 16,
    groups: Groups = None,
    baseline: Baseline = None,
    background: Tensor | None = None,
    absent: Absent = "marginal",
    score: str | Score | None = None,
    task: TaskChoice | None = None,
    columns: Columns | None = None,
    seed: int = 0,
    differentiable: bool = False,
    rows_at_once: int | None = None,
) -> Float[Tensor, " batch group other_group"]:
    """Shapley interactions: what a pair of groups adds beyond the sum of both alone, averaged over the other groups.

    Symmetric, in units of the score. Each side of the diagonal holds half of a pair's interaction, and the diagonal the
    rest of each group's Shapley value. So the rows of the matrix sum to the Shapley values, and the whole matrix to the
    score minus the score with everything absent. Groups are in the order of their numbers; if the number of groups
    differs between rows, the matrices of rows with fewer groups are padded with zeros.

    Exact for up to 16 groups; with more, it costs 8 · samples changed rows per row and pair.

    Args:
        model: a network or any other function of the rows that gives scores.
        x: rows, (batch, …), as `explain` takes them.
        target: a class, one per row, or None as in `explain`; pairs (batch, 2) ask why one rather than another.
        score, task: as in `explain`; None for the task's own score.
        samples: samples of the other groups' presence, for more than 16 groups; each is also used as its complement.
        groups: see `corrigible.explanations.groups`; at most 128.
        baseline: what stands for absent inputs: None for zeros (1/k in a category's k columns); a number, or a
            tensor that broadcasts to one row.
        background: rows of data that stand for absent inputs instead of a baseline, chosen as ``absent`` says.

    Raises:
        RecipeError: more than 128 groups, no samples, or rows_at_once below 1.
        DataError: an x, target, groups, a baseline or a background that do not fit.
        NoGradientError: differentiable, but no parameter would get a gradient.
    """
    question = question_of(
        model, x, target, score=score, task=task, columns=columns, seed=seed, rows_at_once=rows_at_once,
        differentiable=differentiable,
    )  # fmt: skip
    game = game_of(
        question, groups=groups, columns=columns, baseline=baseline, background=background, absent=absent,
        most_single=MOST_PAIRED,
    )  # fmt: skip
    require_count("samples", samples)
    if game.num_groups > MOST_PAIRED:
        raise RecipeError(f"{game.num_groups} groups; expected at most {MOST_PAIRED}: form larger ones")
    found: Tensor = game.x.new_zeros(len(game.x), game.num_groups, game.num_groups)
    for rows, part in by_number_of_groups(game):
        gap = game.num_groups - part.num_groups
        matrix = _matrix(*_values_and_pairs(part, samples))
        found = found.index_copy(0, rows, torch.nn.functional.pad(matrix, (0, gap, 0, gap)))
    if differentiable:
        require_gradient(question.model, found, "shapley_interactions")
    return found


def _values_and_pairs(game: Game, samples: int) -> tuple[Tensor, Tensor]:
    """The groups' Shapley values, (row, group), and the pairs' interactions, (row, pair)."""
    num_groups = game.num_groups
    if num_groups <= MOST_EXACT:
        plan, of_pairs = exact_plan_of(num_groups), _exact_weights(num_groups)
        both = evaluated(game, [Plan(plan.present, torch.cat([plan.weights, of_pairs], dim=1))])
        return both[:, :num_groups], both[:, num_groups:]
    values = evaluated(game, permutation_plans_of(num_groups, samples=samples, seed=game.question.seed))
    plans = _sampled_plans(num_groups, samples, game.question.seed)
    return values, torch.cat([evaluated(game, [plan]) for plan in plans], dim=1)


def _matrix(
    values: Float[Tensor, " row group"], pairs: Float[Tensor, " row pair"]
) -> Float[Tensor, " row group group"]:
    """Half of each pair's interaction on both sides, the rest of each value on the diagonal."""
    first, second = torch.triu_indices(values.shape[1], values.shape[1], offset=1, device=values.device)
    matrix = values.new_zeros(*values.shape, values.shape[1])
    matrix = matrix.index_put((torch.arange(len(values), device=values.device)[:, None], first, second), pairs / 2)
    matrix = matrix + matrix.transpose(1, 2)
    return matrix + torch.diag_embed(values - matrix.sum(dim=2))


def _exact_weights(num_groups: int) -> Float[Tensor, " coalition pair"]:
    """Each coalition's weight for each pair, by the number of other groups present and which of the pair are."""
    present = all_coalitions(num_groups)
    pairs = torch.tensor(list(combinations(range(num_groups), 2)), dtype=torch.long).reshape(-1, 2)
    of_pair = present[:, pairs].sum(dim=2)
    others = present.sum(dim=1, keepdim=True) - of_pair
    of_size = [1 / ((num_groups - 1) * comb(num_groups - 2, size)) for size in range(num_groups - 1)]
    weight = torch.tensor([*of_size, 0.0, 0.0], dtype=torch.float64)[others]
    return torch.where(of_pair == 1, -weight, weight)


def _sampled_plans(num_groups: int, samples: int, seed: int) -> Iterator[Plan]:
    """Plans for a few pairs at a time: both, one and none of a pair's groups with every sample and its complement.

    Each possible sample size is equally likely, as the definition weights them.
    """
    generator = torch.Generator().manual_seed(seed)
    signs = torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64).repeat(2 * samples) / (2 * samples)
    for pairs in torch.tensor(list(combinations(range(num_groups), 2))).split(PAIRS_AT_ONCE):
        weights = torch.kron(torch.eye(len(pairs), dtype=torch.float64), signs[:, None])
        present = torch.stack([_beside(pair, num_groups, samples, generator) for pair in pairs])
        yield Plan(present.flatten(0, -2), weights)


def _beside(pair: Tensor, num_groups: int, samples: int, generator: torch.Generator) -> Bool[Tensor, " case group"]:
    """Samples of the other groups and their complements, each with both of the pair, one, the other or neither."""
    size = torch.randint(num_groups - 1, (samples, 1), generator=generator)
    place = torch.rand(samples, num_groups, generator=generator)
    place[:, pair] = 2.0
    chosen = place.argsort(dim=1).argsort(dim=1) < size
    both_ways = torch.stack([chosen, ~chosen], dim=1).flatten(0, 1)
    cases = both_ways[:, None].repeat(1, 4, 1)
    cases[:, :, pair] = torch.tensor([[True, True], [True, False], [False, True], [False, False]])
    return cases.flatten(0, 1)
