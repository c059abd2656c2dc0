"""Cut points that turn scores into ordered classes with the largest quadratic weighted kappa (Cohen 1968).

Kappa is 1 minus a ratio, disagreement over disagreement by chance. For a given ratio λ both are sums over rows (the
labels' mean is fixed), so the best classes for "disagreement − λ × by chance" are found exactly by going through the
rows in the order of their scores. Dinkelbach 1967, On nonlinear fractional programming: the next λ is the ratio that
was found; when it falls no more, it is the smallest.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.errors import DataError
from corrigible.tasks.classes import class_numbers


def kappa_cut_points(
    scores: Float[Tensor, " *row"], y: Any, *, num_classes: int | None = None
) -> Float[Tensor, " cut"]:
    """The scores at which the class goes up by one, (num_classes - 1,), in ascending order.

    No other cut points give these rows a larger quadratic kappa. Equal ones leave out the classes between them, as
    infinite ones do at the ends. Take rows that were not trained on, and measure kappa on others: on these it is too
    good.

    Args:
        scores: one number per row, larger for larger classes, such as ``task.values(outputs)[:, 0]``.
        y: class numbers from 0 up in their order.
        num_classes: None for as many as the labels say.

    Raises:
        DataError: scores that are not finite, another number of labels, or labels that are all equal or not class
            numbers below ``num_classes``.
    """
    labels, scores = class_numbers(y).cpu(), scores.detach().double().cpu()
    if scores.shape != labels.shape or not bool(scores.isfinite().all()):
        raise DataError(
            f"scores of shape {tuple(scores.shape)} for {len(labels)} labels; expected a finite one for each"
        )
    if not len(labels) or bool((labels == labels[0]).all()):
        raise DataError(
            "all labels are equal; expected rows of at least two classes, since kappa has no value otherwise"
        )
    count = int(labels.max()) + 1 if num_classes is None else num_classes
    if int(labels.max()) >= count:
        raise DataError(f"y holds class {int(labels.max())}; expected numbers below num_classes, {count}")
    distinct, place = scores.unique(return_inverse=True)
    ends = _best_ends(_moments(place, labels, len(distinct)), labels.double(), count)
    middle = (distinct[:-1] + distinct[1:]) / 2
    return torch.cat([distinct.new_tensor([-torch.inf]), middle, distinct.new_tensor([torch.inf])])[ends]


def class_at(scores: Float[Tensor, " row"], cut_points: Float[Tensor, " cut"]) -> Int[Tensor, " row"]:
    """The class of each score: how many cut points it is above."""
    return torch.bucketize(scores.detach(), cut_points.to(scores))


def _moments(place: Tensor, labels: Tensor, num_scores: int) -> Float[Tensor, " moment score"]:
    """Of the rows of each distinct score: their number, and the sum of their labels."""
    y = labels.double()
    return torch.stack([torch.zeros(num_scores, dtype=y.dtype).index_add(0, place, each) for each in (y**0, y)])


def _best_ends(
    moments: Float[Tensor, " moment score"], labels: Float[Tensor, " row"], num_classes: int
) -> Int[Tensor, " cut"]:
    """How many distinct scores lie below each cut point."""
    mean, square = float(labels.mean()), float(labels.square().mean())
    counts, sums = moments
    classes = torch.arange(num_classes, dtype=labels.dtype)[:, None]
    # Of each class, were all rows of a score in it, but for a constant of the labels.
    disagreement = classes.square() * counts - 2 * classes * sums
    by_chance = classes.square() * counts - 2 * classes * mean * counts
    total, ratio, best = square * len(labels), torch.inf, None
    while True:
        weight = 1.0 if best is None else ratio
        ends = _least(disagreement - weight * by_chance)
        found = (_sum(disagreement, ends) + total) / (_sum(by_chance, ends) + total)
        if found >= ratio:
            assert best is not None
            return best
        ratio, best = found, ends


def _sum(costs: Float[Tensor, " num_classes score"], ends: Int[Tensor, " cut"]) -> float:
    """The costs of all scores, each in its class."""
    chosen = torch.bucketize(torch.arange(costs.shape[1]), ends, right=True)
    return float(costs.gather(0, chosen[None]).sum())


def _least(costs: Float[Tensor, " num_classes score"]) -> Int[Tensor, " cut"]:
    """The ends of the classes with the smallest sum of costs, where the classes ascend with the score."""
    sums = torch.cat([torch.zeros_like(costs[:, :1]), costs.cumsum(dim=1)], dim=1)
    least, begins = sums[0], []
    for of_class in sums[1:]:
        # Of all places where this class may begin, at or before each end.
        value, begin = (least - of_class).cummin(dim=0)
        begins.append(begin)
        least = value + of_class
    ends, end = [], torch.tensor(costs.shape[1])
    for begin in reversed(begins):
        end = begin[end]
        ends.append(end)
    return torch.stack(ends[::-1]) if ends else torch.empty(0, dtype=torch.long)
