"""Andriushchenko, Croce, Flammarion and Hein 2020, Square Attack: a query-efficient black-box adversarial attack via
random search.
"""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from corrigible.augment.attacks._attacked_rows import AttackedRows, attacked_rows
from corrigible.augment.attacks._ball import Sizes
from corrigible.errors import RecipeError
from corrigible.models.draws import row_uniform

FIRST_SHARE = 0.8
HALVED_AFTER = (0.001, 0.005, 0.02, 0.1, 0.2, 0.4, 0.6, 0.8)
"""Shares of all queries after which a change becomes half as large."""


def square_attack(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    y: Int[Tensor, " batch"],
    *,
    epsilon: Sizes = 0.1,
    queries: int = 1000,
    target: Int[Tensor, " batch"] | None = None,
    low: Sizes = 0.0,
    high: Sizes = 1.0,
    index: Int[Tensor, " batch"] | None = None,
    seed: int = 0,
) -> Float[Tensor, " batch *input"]:
    """For each row the best point of a random search that asks for predictions alone, never for gradients.

    It finds what gradients hide. Each query moves some inputs to one of their two ends, and the change is kept if the
    label's margin fell. Of images, (batch, channel, height, width), a square is moved, each channel to one end, and
    the search begins with stripes; of other inputs a random set, each to an end of its own. The share of inputs that is
    moved falls from 0.8. A row stops once its prediction changed, or reached its target.

    Args:
        epsilon: the largest change of an input, in units of x; one number, or one for each input.
        queries: how many predictions a row may ask for.
        target: towards these classes instead of away from the labels.
        low, high: the least and the largest value an input may be moved to; a value beyond them stays.
        index: the rows' numbers, which with the seed settle the draws; None for their positions.

    Raises:
        RecipeError: an epsilon below 0, no queries, or a low that is not below high.
        DataError: a label that is not one of the model's classes.
    """
    if queries < 1:
        raise RecipeError(f"queries is {queries}; expected at least 1")
    facts: dict[str, Any] = {"epsilon": epsilon, "target": target, "low": low, "high": high}
    with attacked_rows(model, x, y, seed=seed, index=index, **facts) as rows:
        return _searched(rows, queries)


def _searched(rows: AttackedRows, queries: int) -> Float[Tensor, " batch *input"]:
    found = rows.ball.x.clone()
    seen = rows.seen(found)
    standing, value = torch.arange(len(rows), device=found.device)[~seen.is_done], seen.value[~seen.is_done]
    rows = rows.of(~seen.is_done)
    for query in range(queries):
        if not len(rows):
            break
        moved = _moved(rows, found[standing], query, queries)
        seen = rows.seen(moved)
        better = seen.is_done | (seen.value > value)
        found[standing[better]] = moved[better]
        value = torch.where(better, seen.value, value)[~seen.is_done]
        rows, standing = rows.of(~seen.is_done), standing[~seen.is_done]
    return found


def _moved(rows: AttackedRows, at: Tensor, query: int, queries: int) -> Float[Tensor, " batch *input"]:
    """The points of the next query."""
    share = FIRST_SHARE / 2 ** sum(query > part * queries for part in HALVED_AFTER)
    if at.ndim != 4:
        is_moved, goes_up = _set_of_inputs(rows, at, share, query)
    elif query == 0:
        is_moved, goes_up = torch.ones_like(at, dtype=torch.bool), _drawn(rows, (at.shape[1], 1, at.shape[3]), 0) < 0.5
    else:
        is_moved, goes_up = _square(rows, at, share, query)
    return torch.where(is_moved, torch.where(goes_up, rows.ball.most, rows.ball.least), at)


def _square(
    rows: AttackedRows, at: Tensor, share: float, query: int
) -> tuple[Bool[Tensor, " ..."], Bool[Tensor, " ..."]]:
    """A square of this share of the image, and for each channel whether it goes up."""
    _, channels, height, width = at.shape
    side = min(max(round((share * height * width) ** 0.5), 1), height, width)
    drawn = _drawn(rows, (2 + channels,), query)
    inside = []
    for axis, length in enumerate((height, width)):
        first = (drawn[:, axis, None] * (length - side + 1)).floor()
        place = torch.arange(length, device=at.device)
        inside.append((place >= first) & (place < first + side))
    return inside[0][:, None, :, None] & inside[1][:, None, None, :], (drawn[:, 2:] < 0.5)[:, :, None, None]


def _set_of_inputs(
    rows: AttackedRows, at: Tensor, share: float, query: int
) -> tuple[Bool[Tensor, " ..."], Bool[Tensor, " ..."]]:
    """A random set of this share of the inputs that can move, at first all; and for each whether it goes up."""
    can_move = (rows.ball.least < rows.ball.most).flatten(1)
    drawn = _drawn(rows, (2, can_move.shape[1]), query)
    number = (share * can_move.sum(dim=1, keepdim=True)).round().clamp_min(1) if query else can_move.shape[1]
    place = torch.where(can_move, drawn[:, 0], torch.inf).argsort(dim=1).argsort(dim=1)
    return (can_move & (place < number)).view(at.shape), (drawn[:, 1] < 0.5).view(at.shape)


def _drawn(rows: AttackedRows, shape: tuple[int, ...], query: int) -> Float[Tensor, " batch *shape"]:
    index: Int[Tensor, " batch"] = rows.index
    return row_uniform(index, shape, seed=rows.seed, name=f"square_attack/{query}")
