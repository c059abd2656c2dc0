"""A fast path for networks whose first layer is affine: its output for a coalition is a sum over the groups.

W(x present, b absent) + c = Σ present W_g x_g + Σ absent W_g b_g + c. Each group's term is computed once per row, and
no changed row is ever made. The values are the same up to rounding.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from corrigible.explanations.games.game import Game
from corrigible.explanations.games.values import Values, mean_over_draws
from corrigible.outputs import as_outputs

HiddenOf = Callable[[slice], Iterator[Float[Tensor, " coalition row draw hidden"]]]
"""A slice of rows -> the first layer's output for their points, a few draws at a time."""


class Members(NamedTuple):
    """The inputs of each group as places in a flattened row, padded to the size of the largest group."""

    place: Int[Tensor, " group member"]
    is_real: Bool[Tensor, " group member"]


class AffineFirstLayer(NamedTuple):
    """The first layer, all layers after it, and the inputs of each group."""

    first: nn.Linear
    rest: nn.Sequential
    members: Members


def affine_first_layer(game: Game, num_coalitions: int) -> AffineFirstLayer | None:
    """The parts of a plain sequence of layers that begins with a linear one; None for any other model.

    Also None if groups differ between rows, if the values of absent inputs depend on the row, if there are hooks on the
    parts that would be skipped, or if the groups' terms would cost more than the coalitions themselves.
    """
    if type(game.question.model) is not nn.Sequential or len(game.labels) > 1 or game.removal.is_conditional:
        return None
    layers = list(game.question.model)
    place = 1 if layers and _flattens(layers[0]) else 0
    first = layers[place] if place < len(layers) else None
    if type(first) is not nn.Linear or (game.x.ndim > 2 and place == 0):
        return None
    if any(
        module._forward_hooks or module._forward_pre_hooks for module in (game.question.model, *layers[: place + 1])
    ):
        return None
    members = members_of(game.labels)
    if members.place.numel() > num_coalitions * game.x[0].numel():
        return None
    return AffineFirstLayer(first, nn.Sequential(*layers[place + 1 :]), members)


def _flattens(layer: nn.Module) -> bool:
    return type(layer) is nn.Flatten and (layer.start_dim, layer.end_dim) == (1, -1)


def members_of(labels: Int[Tensor, " *input"]) -> Members:
    """The inputs of each group as places in a flattened row."""
    flat = labels.flatten()
    size = flat.bincount()
    order = flat.argsort(stable=True)
    start = size.cumsum(0) - size
    member = torch.arange(int(size.max()), device=flat.device)
    is_real = member < size[:, None]
    return Members(order[(start[:, None] + member).clamp_max(len(order) - 1)], is_real)


def affine_values(game: Game, present: Bool[Tensor, " coalition group"], parts: AffineFirstLayer) -> Values:
    """Like `filled_values`, for a network that begins with an affine layer and groups that all rows share."""
    hidden_of = (_one_filling if len(game.removal.rows) == 1 else _several_fillings)(game, present, parts)

    def values(rows: slice) -> Float[Tensor, " row coalition"]:
        scores = []
        for hidden in hidden_of(rows):
            logits = as_outputs(parts.rest(hidden.flatten(0, 2))).view(*hidden.shape[:3], -1)
            scores.append(game.scored(logits, rows, axis=1))
        return mean_over_draws(scores).T

    return values


def _one_filling(game: Game, present: Tensor, parts: AffineFirstLayer) -> HiddenOf:
    """The outputs for a single filling, in one product: the filling's own output plus the change by each group."""
    shares_of, filling = _shares_by(parts), game.removal.rows.flatten(1)
    without, filled = shares_of(filling), parts.first(filling)
    counted = torch.cat([present, torch.ones_like(present[:, :1])], dim=1).to(game.x)

    def hidden_of(rows: slice) -> Iterator[Tensor]:
        changes = shares_of(game.x[rows].flatten(1)) - without
        summands = torch.cat([changes, filled.expand(1, changes.shape[1], -1)])
        yield (counted @ summands.flatten(1)).view(len(present), changes.shape[1], 1, -1)

    return hidden_of


def _several_fillings(game: Game, present: Tensor, parts: AffineFirstLayer) -> HiddenOf:
    """The outputs for several fillings: terms of present groups from the row plus absent groups from each filling."""
    shares_of, is_present = _shares_by(parts), present.to(game.x)
    is_absent = (~present[:, game.labels.flatten()]).to(game.x)
    fillings = game.removal.rows.flatten(1).split(game.question.rows_at_once)
    absent = [parts.first(is_absent[:, None] * filling)[:, None] for filling in fillings]

    def hidden_of(rows: slice) -> Iterator[Tensor]:
        shares = shares_of(game.x[rows].flatten(1))
        of_present = (is_present @ shares.flatten(1)).view(len(present), shares.shape[1], 1, -1)
        return (of_present + some for some in absent)

    return hidden_of


def _shares_by(parts: AffineFirstLayer) -> Callable[[Float[Tensor, " row input"]], Float[Tensor, " group row hidden"]]:
    """What each group's inputs add to the first layer's output."""
    place, is_real = parts.members
    weight = parts.first.weight.T[place] * is_real[:, :, None]
    return lambda x: x[:, place].transpose(0, 1) @ weight
