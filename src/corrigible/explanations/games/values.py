"""The values of some coalitions, for whichever rows are asked for.

Each function here prepares what all rows share and gives back a function from rows to the coalitions' values.
"""

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from corrigible.explanations.games.absence import distances
from corrigible.explanations.games.game import Game
from corrigible.models.forward import class_logits

Values = Callable[[Int[Tensor, " row"]], Float[Tensor, " row coalition"]]


def replaced(
    x: Float[Tensor, " *#shape"], present: Float[Tensor, " *#shape"], filling: Float[Tensor, " *#shape"]
) -> Float[Tensor, " *shape"]:
    """x where ``present`` is 1 and the filling where it is 0; several times as fast as `torch.where`."""
    return torch.addcmul(filling * (1 - present), present, x)


def shown_values(game: Game, shown: Bool[Tensor, " coalition *input"]) -> Values:
    """The mean score over all rows that can fill in where inputs are not shown, the same inputs of every row."""
    kept = shown.to(game.x).unsqueeze(1)
    fillings = [filling * (1 - kept) for filling in game.absence.rows.split(game.rows_at_once)]

    def values(rows: Int[Tensor, " row"]) -> Float[Tensor, " row coalition"]:
        x = game.x[rows].unsqueeze(1).unsqueeze(1)
        return _mean_score(game, rows, (torch.addcmul(filling, kept, x) for filling in fillings))

    return values


def filled_values(game: Game, present: Bool[Tensor, " coalition group"]) -> Values:
    """The mean score over all rows that can fill in for absent groups."""
    if len(game.labels) == 1:
        return shown_values(game, _inputs_of(present, game.labels)[0])

    def values(rows: Int[Tensor, " row"]) -> Float[Tensor, " row coalition"]:
        kept = _inputs_of(present, game.labels[rows]).to(game.x).unsqueeze(2)
        x = game.x[rows].unsqueeze(1).unsqueeze(1)
        fillings = game.absence.rows.split(game.rows_at_once)
        return _mean_score(game, rows, (replaced(x, kept, filling) for filling in fillings))

    return values


def conditional_values(game: Game, present: Bool[Tensor, " coalition group"]) -> Values:
    """The mean score over the nearest rows; over all rows where nothing is present to be near to."""
    others, tie_breaks, at_once = game.absence.rows, game.absence.tie_breaks, game.rows_at_once
    assert tie_breaks is not None
    membership = one_hot(game.labels.flatten(), game.num_groups).double()
    mask = _inputs_of(present, game.labels).to(game.x).unsqueeze(2)
    is_empty = ~present.any(dim=1)
    of_others = (
        [class_logits(game.model(some.clone())) for some in others.split(at_once)] if bool(is_empty.any()) else []
    )

    def values(rows: Int[Tensor, " row"]) -> Float[Tensor, " row coalition"]:
        apart = distances(game.x[rows], others, membership) @ present.T.double()
        nearest = (
            (apart + tie_breaks[:, None])
            .topk(game.absence.num_neighbours, dim=1, largest=False)
            .indices.transpose(1, 2)
        )
        x = game.x[rows].unsqueeze(1).unsqueeze(1)
        total = game.x.new_zeros(len(rows), len(present))
        for some in nearest.split(at_once, dim=2):
            inputs = replaced(x, mask, others[some])
            total = total + game.scores(inputs.flatten(1, 2), rows).view(some.shape).sum(dim=2)
        found = total / game.absence.num_neighbours
        if not of_others:
            return found
        logits = torch.cat(of_others).expand(len(rows), -1, -1)
        return torch.where(is_empty, game.scored(logits, rows[:, None]).mean(dim=1, keepdim=True), found)

    return values


def _mean_score(game: Game, rows: Tensor, changed: Iterable[Float[Tensor, " row coalition draw *input"]]) -> Tensor:
    sums = [game.scores(inputs.flatten(1, 2), rows).view(inputs.shape[:3]).sum(dim=2) for inputs in changed]
    return sum(sums[1:], sums[0]) / len(game.absence.rows)


def _inputs_of(present: Tensor, labels: Tensor) -> Bool[Tensor, " one_or_row coalition *input"]:
    """The inputs that belong to each coalition."""
    return present[:, labels].transpose(0, 1)
