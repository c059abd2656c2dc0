"""Gradients at several points per row, added up, with a bounded number of points in memory."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.explanations.passes import pass_over, untouched, values_index
from corrigible.explanations.scores import score_named


class Points(NamedTuple):
    """The points that belong to some rows."""

    at: Callable[[slice], tuple[Tensor, Tensor | None]]
    """Which of each row's points -> the points, (point, row, *input), and what to multiply their gradients with."""
    scale: Tensor | float
    """What to multiply the sum with."""


class Settings(NamedTuple):
    """Settings that all methods share."""

    score: str
    seed: int
    differentiable: bool
    rows_at_once: int
    """Points in memory at once, unless the result is differentiable."""


def sum_over_points(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    target: Int[Tensor, " batch *contrast"],
    points_of: Callable[[Tensor, Tensor], Points],
    count: int,
    settings: Settings,
) -> Float[Tensor, " batch *input"]:
    """The score's gradients at ``count`` points per row, each times its factor, added up.

    Args:
        points_of: rows and the index of their random draws -> their points.
    """
    score, seed, differentiable, rows_at_once = settings

    def sums() -> Iterator[Tensor]:
        for rows, chosen in zip(x.split(rows_at_once), target.split(rows_at_once), strict=True):
            # A row's points share its index, so that a random score stays one function.
            index = values_index(rows)
            points, total = points_of(rows, index), torch.zeros_like(rows)
            for which in _slices(count, max(rows_at_once // len(rows), 1)):
                at, factors = points.at(which)
                row = torch.arange(len(rows), device=x.device).repeat(len(at))
                forward = pass_over(model, at.flatten(0, 1), chosen[row], index=index[row], seed=seed)
                scores = score_named(score, forward)(forward.logits, chosen[row]).sum()
                gradient = forward.gradient(scores, forward.x, create_graph=differentiable).view_as(at)
                total = total + (gradient if factors is None else gradient * factors).sum(0)
            yield total * points.scale

    with untouched(model, seed):
        return torch.cat(list(sums())) if differentiable else _filled(torch.empty_like(x), sums())


def _slices(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def _filled(whole: Tensor, parts: Iterator[Tensor]) -> Tensor:
    """Part after part in its place: never all of them beside the whole."""
    start = 0
    for part in parts:
        whole[start : start + len(part)] = part
        start += len(part)
    return whole
