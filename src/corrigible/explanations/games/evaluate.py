"""Evaluate a plan for every row.

Values are weighted and added up a bounded number of changed rows at a time; they are never all in memory.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.explanations.games.affine_first_layer import affine_first_layer, affine_values
from corrigible.explanations.games.game import Game, Plan
from corrigible.explanations.games.values import Values, conditional_values, filled_values
from corrigible.explanations.groups import shared_evenly
from corrigible.models.modes import untouched
from corrigible.progress import counted


def explained(game: Game, plans_for: Callable[[int], Iterable[Plan]]) -> Float[Tensor, " batch *input"]:
    """The results of the plans, one per group of a row, divided evenly among the group's inputs."""
    attribution = torch.zeros_like(game.x)
    for rows, part in by_number_of_groups(game):
        values = evaluated(part, plans_for(part.num_groups))
        attribution = attribution.index_copy(0, rows, shared_evenly(values, part.labels))
    return attribution


def by_number_of_groups(game: Game) -> Iterator[tuple[Int[Tensor, " some"], Game]]:
    """The rows in parts with equally many groups, so that a row's result does not depend on the other rows."""
    last = game.labels.flatten(1).amax(dim=1).expand(len(game.x))
    for number in last.unique().tolist():
        rows = (last == number).nonzero()[:, 0]
        labels = game.labels if len(game.labels) == 1 else game.labels[rows]
        yield rows, replace(game, question=game.question.about(rows), labels=labels)


def evaluated(game: Game, plans: Iterable[Plan]) -> Float[Tensor, " batch result"]:
    """The weighted sums of the coalitions' values over all plans, for every row; one plan is in memory at a time."""
    sums = None
    for plan in plans:
        part = _evaluated(game, plan)
        sums = part if sums is None else sums + part
    assert sums is not None
    return sums.to(game.x)


def _evaluated(game: Game, plan: Plan) -> Float[Tensor, " batch result"]:
    present = plan.present.to(game.x.device)
    with untouched(game.question.model, game.question.seed):
        parts = affine_first_layer(game, len(present))

        def values_of(some: slice) -> Values:
            if game.removal.is_conditional:
                return conditional_values(game, present[some])
            if parts is not None:
                return affine_values(game, present[some], parts)
            return filled_values(game, present[some])

        most_rows = None if parts is None else game.question.rows_at_once // game.num_groups
        return _weighted(game, plan.weights, values_of, most_rows)


def _weighted(
    game: Game, weights: Tensor, values_of: Callable[[slice], Values], most_rows: int | None
) -> Float[Tensor, " batch result"]:
    """Weighted sums of the coalitions' values, in float64, computed a bounded number of points at a time."""
    weights = weights.to(game.x.device, torch.float64)
    total = weights.new_zeros(len(game.x), weights.shape[1])
    with game.question.looking():
        found = parts_of_values(game, len(weights), values_of, most_rows=most_rows)
        for some, parts in counted("explanations: part of the coalitions", found):
            weight = weights[some]
            total = total + torch.cat([part.double() @ weight for part in parts])
    return total


def parts_of_values(
    game: Game, num_coalitions: int, values_of: Callable[[slice], Values], *, most_rows: int | None = None
) -> Iterator[tuple[slice, Iterator[Float[Tensor, " row some"]]]]:
    """Parts of the coalitions with their values, in parts of the rows, inside ``question.looking()``."""
    for some in _slices(num_coalitions, _coalitions_at_once(game)):
        points = min((some.stop - some.start) * game.removal.num_draws, game.question.rows_at_once)
        num_rows = max(min(game.question.rows_at_once // points, len(game.x) if most_rows is None else most_rows), 1)
        yield some, map(values_of(some), _slices(len(game.x), num_rows))


def _slices(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def _coalitions_at_once(game: Game) -> int:
    """The number of coalitions to evaluate together for one row.

    They take an eighth of the points that may be held at once; several rows then share the rest. With a conditional
    background they take all of it, since every further call computes the distances to the background again.
    """
    parts = 1 if game.removal.is_conditional else 8
    return max(game.question.rows_at_once // (parts * game.removal.num_draws), 1)
