"""Croce and Hein 2020, Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free
attacks: Auto-PGD, which sets its step size by itself.
"""

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from corrigible.augment.attacks._attacked_rows import AttackedRows, LossName, attacked_rows
from corrigible.augment.attacks._ball import Norm, Sizes
from corrigible.augment.attacks._runs import best_of, from_starts
from corrigible.errors import RecipeError

MOMENTUM, LEAST_RISES = 0.75, 0.75
"""Alpha and rho of the paper."""
FIRST_STAGE, SHORTER_BY, SHORTEST_STAGE = 22, 3, 6
"""Lengths of the stages, in hundredths of all steps."""


def auto_projected_gradient(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    y: Int[Tensor, " batch"],
    *,
    epsilon: Sizes = 0.1,
    norm: Norm = "linf",
    loss: LossName = "cross_entropy",
    steps: int = 50,
    restarts: int = 1,
    target: Int[Tensor, " batch"] | None = None,
    low: Sizes = 0.0,
    high: Sizes = 1.0,
    index: Int[Tensor, " batch"] | None = None,
    seed: int = 0,
) -> Float[Tensor, " batch *input"]:
    """For each row the best point of a search along gradients with momentum, whose steps shrink where it stops rising.

    A row stops once its prediction changed, or reached its target. Steps begin at 2 epsilon. After each stage a row
    whose loss rose in fewer than three quarters of the steps, or whose steps and best point are those of the stage
    before, halves its steps and goes back to its best point.

    Args:
        epsilon, norm, target, low, high, index: as in `projected_gradient`.
        loss: "cross_entropy", or "margin", the label's logit against the largest other one.
        restarts: how many runs; the first starts at the row, others at a point drawn within epsilon.

    Raises:
        RecipeError, DataError: as `projected_gradient`.
    """
    if steps < 1:
        raise RecipeError(f"steps is {steps}; expected at least 1")
    facts: dict[str, Any] = {"epsilon": epsilon, "norm": norm, "loss": loss, "target": target, "low": low, "high": high}

    def climbed(rows: AttackedRows, start: Tensor) -> Tensor:
        return _climbed(rows, start, steps)

    with attacked_rows(model, x, y, seed=seed, index=index, **facts) as rows:
        return best_of(rows, from_starts(climbed, restarts=restarts, name="auto_projected_gradient"))


class _Search(NamedTuple):
    """Where the search of each row stands."""

    row: Int[Tensor, " standing"]
    """Its position among all rows."""
    at: Float[Tensor, " standing *input"]
    before: Float[Tensor, " standing *input"]
    value: Float[Tensor, " standing"]
    gradient: Float[Tensor, " standing *input"]
    best: Float[Tensor, " standing *input"]
    best_value: Float[Tensor, " standing"]
    best_gradient: Float[Tensor, " standing *input"]
    size: Float[Tensor, " standing"]
    """Of steps, in epsilons."""
    num_rises: Float[Tensor, " standing"]
    """In this stage."""
    size_before: Float[Tensor, " standing"]
    best_before: Float[Tensor, " standing"]
    """At the end of the stage before."""

    def of(self, rows: Tensor) -> "_Search":
        return _Search(*(each[rows] for each in self))


def _climbed(rows: AttackedRows, start: Tensor, steps: int) -> Tensor:
    found = start.clone()
    seen = rows.seen(start, gradient=True)
    gradient, size, none = seen.gradient, torch.full_like(seen.value, 2.0), torch.zeros_like(seen.value)
    assert gradient is not None
    position = torch.arange(len(rows), device=start.device)
    search = _Search(
        *(position, start, start, seen.value, gradient, start, seen.value, gradient),
        *(size, none, torch.full_like(size, torch.inf), torch.full_like(size, -torch.inf)),
    )
    is_done, ends, begun = seen.is_done, _ends_of_stages(steps), 0
    for step in range(1, steps + 1):
        rows, search = rows.of(~is_done), search.of(~is_done)
        if not len(rows):
            return found
        search, is_done = _stepped(rows, search, momentum=MOMENTUM if step > 1 else 1.0)
        found[search.row] = torch.where(_like(is_done, search.at), search.at, search.best)
        if step in ends:
            search, begun = _end_of_stage(search, step - begun), step
    return found


def _stepped(rows: AttackedRows, search: _Search, *, momentum: float) -> tuple[_Search, Tensor]:
    """The searches after one step, and which of them are at their end."""
    ball, at = rows.ball, search.at
    further = ball.nearest(at + _like(search.size, at) * ball.direction(search.gradient))
    moved = ball.nearest(at + momentum * (further - at) + (1 - momentum) * (at - search.before))
    seen = rows.seen(moved, gradient=True)
    assert seen.gradient is not None
    is_best = seen.value > search.best_value
    is_best_input = _like(is_best, at)
    search = search._replace(
        at=moved,
        before=at,
        value=seen.value,
        gradient=seen.gradient,
        best=torch.where(is_best_input, moved, search.best),
        best_value=seen.value.maximum(search.best_value),
        best_gradient=torch.where(is_best_input, seen.gradient, search.best_gradient),
        num_rises=search.num_rises + (seen.value > search.value),
    )
    return search, seen.is_done


def _end_of_stage(search: _Search, num_steps: int) -> _Search:
    """The searches with the steps of the next stage."""
    is_stuck = (search.size == search.size_before) & (search.best_value == search.best_before)
    halves = is_stuck | (search.num_rises < LEAST_RISES * num_steps)
    goes_back = _like(halves, search.at)
    return search._replace(
        at=torch.where(goes_back, search.best, search.at),
        value=torch.where(halves, search.best_value, search.value),
        gradient=torch.where(goes_back, search.best_gradient, search.gradient),
        size=torch.where(halves, search.size / 2, search.size),
        num_rises=torch.zeros_like(search.num_rises),
        size_before=search.size,
        best_before=search.best_value,
    )


def _ends_of_stages(steps: int) -> set[int]:
    """The last step of each stage: each is shorter than the one before, down to a least length."""
    ends, length, end = set(), FIRST_STAGE, FIRST_STAGE
    while end <= 100:
        ends.add(math.ceil(end * steps / 100))
        length = max(length - SHORTER_BY, SHORTEST_STAGE)
        end += length
    return ends


def _like(each: Shaped[Tensor, " batch"], x: Float[Tensor, " batch *input"]) -> Tensor:
    """One value per row, to be combined with inputs."""
    return each.reshape(-1, *[1] * (x.ndim - 1))
