"""Geifman and El-Yaniv 2017, selective classification for deep neural networks."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.tasks.classes import require_labels


def aurc(probs: Float[Tensor, " n num_classes"], y: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Area under the risk-coverage curve: the error rate among the surest rows, averaged over how many are kept.

    In [0, 1]; lower is better. Confidence is the largest probability, coverage the share of rows that are kept, the
    surest first, risk the share of them that are wrong. Coverage counts parts of rows too, so that repeating all rows
    changes nothing, and rows of equal confidence count alike: the area is the integral of the curve. With many rows it
    is the mean over k of the risk of the k surest rows. A model that errs at random has its error rate as area. Ordered
    classes are predicted by the median, so that it is not measured of them.
    """
    require_labels(y, probs.shape[1])
    confidence, predicted = probs.double().max(dim=1)
    return area_of(confidence, (predicted == y).double())


def area_of(confidence: Float[Tensor, " n"], is_right: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """The area under the risk-coverage curve of rows with this confidence, by whether they are right; NaN of NaN."""
    # Sorted by falling confidence; of rows that tie, each is in all places that they fill, in equal parts.
    _, tied, count = (-confidence).unique(return_inverse=True, return_counts=True)
    wrong = tied.bincount(weights=1 - is_right, minlength=len(count)) / count
    end = count.cumsum(dim=0).double() / max(1, len(confidence))
    begin = end - count.double() / max(1, len(confidence))
    # A row between two coverages adds to the risk at each larger coverage c its part of c: ∫ −ln t dt over its place.
    area = (end - torch.xlogy(end, end)) - (begin - torch.xlogy(begin, begin))
    is_known = len(confidence) > 0 and not bool(confidence.isnan().any())
    found: Tensor = (wrong * area).sum() if is_known else wrong.new_tensor(torch.nan, dtype=torch.float64)
    return found
