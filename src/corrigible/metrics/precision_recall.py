"""Precision, recall and their harmonic mean.

With two classes, they are those of class 1. With more, they are averaged with equal weight over the classes that occur
among labels or predictions. A share of no rows is not measured: such a class is left out, and without any other class
the result is NaN.
"""

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor


def precision(probs: Float[Tensor, " n num_classes"], y: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Share of the rows predicted as a class that have this label."""
    hits, num_predicted, _ = _counts(probs, y)
    return _mean_share(hits, num_predicted)


def recall(probs: Float[Tensor, " n num_classes"], y: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Share of a class's rows that are predicted as this class."""
    hits, _, num_labelled = _counts(probs, y)
    return _mean_share(hits, num_labelled)


def f1(probs: Float[Tensor, " n num_classes"], y: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Harmonic mean of a class's precision and recall."""
    hits, num_predicted, num_labelled = _counts(probs, y)
    return _mean_share(2 * hits, num_predicted + num_labelled)


def macro_f1(predicted: Int[Tensor, " n label"], y: Shaped[Tensor, " n label"]) -> Float[Tensor, ""]:
    """Harmonic mean of each label's precision and recall, averaged over the labels that occur in either."""
    present, said = y.double(), predicted.double()
    hits, num_either = (present * said).sum(dim=0), (present + said).sum(dim=0)
    return _mean_share(2 * hits, num_either)


def _counts(probs: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For each class that is averaged, the numbers of rows predicted correctly, predicted, and labelled."""
    num_classes, predicted = probs.shape[1], probs.argmax(dim=1)
    hits, num_predicted, num_labelled = (
        rows.bincount(minlength=num_classes).double() for rows in (y[predicted == y], predicted, y)
    )
    counts = num_predicted + num_labelled > 0
    if num_classes == 2:
        counts = torch.tensor([False, len(y) > 0], device=y.device)
    return hits[counts], num_predicted[counts], num_labelled[counts]


def _mean_share(part: Tensor, whole: Tensor) -> Tensor:
    """The mean of part / whole where the whole is not 0."""
    return (part / whole)[whole > 0].mean()
