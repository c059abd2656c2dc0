"""Gradients at several points per row, added up, with a bounded number of points in memory."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.explanations.features import shared_by_category
from corrigible.explanations.passes import pass_over, values_index
from corrigible.explanations.question import Question
from corrigible.explanations.scores import score_named
from corrigible.models.forward import Forward, Score
from corrigible.models.modes import frozen_norms, untouched
from corrigible.progress import counted


class Points(NamedTuple):
    """The points that belong to some rows."""

    at: Callable[[slice], tuple[Tensor, Tensor | None]]
    """A slice of each row's points -> the points, (point, row, *input), and factors of their gradients."""
    scale: Tensor | float
    """Factor of the sum."""
    weights: Float[Tensor, " point"] | None = None
    """Each point's weight in the sum; None for 1."""


def sum_over_points(
    question: Question, points_of: Callable[[Tensor, Tensor], Points], num_points: int
) -> Float[Tensor, " batch *input"]:
    """The sum of the score's gradients at ``num_points`` points per row, each times its factor.

    Args:
        points_of: rows and the index of their random draws -> their points.
    """
    model, x, target = question.model, question.x, question.target
    differentiable, rows_at_once = question.differentiable, question.rows_at_once

    def gradients(at: Tensor, weights: Tensor | None, target: Tensor, index: Tensor) -> Tensor:
        # A row's points share its index, so that a random score is the same function at all of them.
        targets, indices = (torch.cat([values] * len(at)) for values in (target, index))
        forward = pass_over(model, at.flatten(0, 1), targets, index=indices, seed=question.seed).unobserved()
        scores = score_named(question.score, forward)(forward.outputs, targets)
        scores = scores if weights is None else scores.view(len(at), -1) * weights[:, None]
        return forward.gradient(scores.sum(), forward.x, create_graph=differentiable).view_as(at)

    def sums() -> Iterator[Tensor]:
        for rows, chosen in zip(x.split(rows_at_once), target.split(rows_at_once), strict=True):
            index = values_index(rows)
            points, total = points_of(rows, index), torch.zeros_like(rows)
            at_once = _slices(num_points, max(rows_at_once // len(rows), 1))
            for which in counted("explanations: part of the points", at_once):
                at, factors = points.at(which)
                weights = None if points.weights is None else points.weights[which]
                gradient = gradients(at, weights, chosen, index)
                found = gradient if factors is None else gradient * factors
                part = found[0] if len(found) == 1 else found.sum(0)
                total = total + part if differentiable else total.add_(part)
            yield total * points.scale

    with untouched(model, question.seed):
        return torch.cat(list(sums())) if differentiable else _filled(torch.empty_like(x), sums())


def attribution_along(
    forward: Forward,
    target: Int[Tensor, " batch *contrast"],
    start: Float[Tensor, " _ _ *input"],
    share: Float[Tensor, " point _"],
    weights: Float[Tensor, " point"],
    *,
    score: str | Score,
) -> Float[Tensor, " batch *input"]:
    """The weighted mean gradient of the score at points between ``start`` and each row, times their difference.

    Takes one more pass, which can be differentiated again; normalisation layers use their running statistics in it. The
    columns of a category share its total evenly.

    Args:
        start: where the straight paths to the rows begin, (point or 1, row or 1, *input).
        share: how far along its path each point lies, from 0 to 1, (point, row or 1).
        weights: each point's weight in the mean.
    """
    way = forward.x.detach() - start
    points = start + share.reshape(*share.shape, *[1] * (way.ndim - 2)) * way
    with frozen_norms(forward.model), torch.enable_grad():
        elsewhere = forward.at(points).unobserved()
        targets = torch.cat([target] * len(points))
        scores = score_named(score, elsewhere)(elsewhere.outputs, targets)
        gradient = elsewhere.gradient(scores.sum(), elsewhere.x).view_as(points)
    found = (gradient * way * weights.reshape(-1, *[1] * (way.ndim - 1))).sum(0)
    return shared_by_category(found, forward.batch.columns)


def _slices(num_points: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, num_points)) for start in range(0, num_points, size))


def _filled(whole: Tensor, parts: Iterator[Tensor]) -> Tensor:
    """The parts written into one tensor one after the other, so that they are never all in memory besides it."""
    start = 0
    for part in parts:
        whole[start : start + len(part)] = part
        start += len(part)
    return whole
