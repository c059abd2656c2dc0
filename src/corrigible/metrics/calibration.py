"""Guo et al. 2017, on calibration of modern neural networks; Nixon et al. 2019, measuring calibration in deep learning.

A calibration error divides rows into cells: confidence bins, or confidence bins of each class. In each cell the mean
confidence is compared with the share of rows that are right. The error is the sum of the absolute differences, each
weighted by the cell's share of all rows.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from corrigible.arguments import whole_number
from corrigible.intervals import percentile_interval, resamples
from corrigible.tasks.classes import require_labels


def expected_calibration_error(
    probs: Float[Tensor, " n num_classes"], y: Int[Tensor, " n"], *, num_bins: int = 15
) -> Float[Tensor, ""]:
    """Distance between confidence and accuracy, averaged over rows, in [0, 1] (equation 3).

    Confidence is the largest probability. Rows are put into confidence bins of equal width, open below and closed
    above; the distance is |accuracy − mean confidence| within a bin. With few rows per bin it is too large. Ordered
    classes are predicted by the median, so that it is not measured of them.
    """
    return _of_confidence(probs, y, num_bins).distance()


def calibration_interval_of(
    probs: Float[Tensor, " n num_classes"],
    y: Int[Tensor, " n"],
    *,
    num_bins: int = 15,
    num_resamples: int,
    seed: int = 0,
) -> tuple[float, float]:
    """The 95 % interval of the expected calibration error, which holds the measured value, in [0, 1]."""
    return _interval(_of_confidence(probs, y, num_bins), num_resamples=num_resamples, seed=seed)


def classwise_calibration_error(
    probs: Float[Tensor, " n num_classes"], y: Int[Tensor, " n"], *, num_bins: int = 15
) -> Float[Tensor, ""]:
    """Distance between each class's probability and its frequency, averaged over rows and classes, in [0, 1].

    Like `expected_calibration_error`, for the probability of every class, not only of the predicted one: the paper's
    static calibration error, the class-wise error of Kull et al. 2019. Bins are of equal width, open below and closed
    above; probabilities of 0 are in the first. With few rows per bin it is too large, with many classes small.
    """
    return _in_equal_widths(probs, y, num_bins).distance() / probs.shape[1]


def adaptive_calibration_error(
    probs: Float[Tensor, " n num_classes"], y: Int[Tensor, " n"], *, num_bins: int = 15
) -> Float[Tensor, ""]:
    """Like `classwise_calibration_error`, with as many rows in each of a class's bins, in [0, 1] (section 3.3).

    So bins lie where the probabilities are. A row on the edge between bins counts in both, with the shares that lie on
    either side, and rows of equal probability count alike in the bins that they fill.
    """
    return _in_equal_counts(probs, y, num_bins).distance() / probs.shape[1]


def classwise_interval_of(
    probs: Float[Tensor, " n num_classes"],
    y: Int[Tensor, " n"],
    *,
    num_bins: int = 15,
    **resampling: int,
) -> tuple[float, float]:
    """The 95 % interval of the class-wise calibration error, which holds the measured value."""
    return _per_class(_in_equal_widths(probs, y, num_bins), probs.shape[1], **resampling)


def adaptive_interval_of(
    probs: Float[Tensor, " n num_classes"],
    y: Int[Tensor, " n"],
    *,
    num_bins: int = 15,
    **resampling: int,
) -> tuple[float, float]:
    """The 95 % interval of the adaptive calibration error, which holds the measured value; bins stay where they are."""
    return _per_class(_in_equal_counts(probs, y, num_bins), probs.shape[1], **resampling)


def _per_class(cells: "_Cells", num_classes: int, *, num_resamples: int, seed: int = 0) -> tuple[float, float]:
    low, high = _interval(cells, num_resamples=num_resamples, seed=seed)
    return low / num_classes, high / num_classes


class _Cells(NamedTuple):
    """What each row adds to which cell; a row may add to several cells."""

    row: Int[Tensor, " part"]
    place: Int[Tensor, " part"]
    excess: Float[Tensor, " part"]
    """Confidence above the truth, in float64."""
    num_rows: int
    num_cells: int

    def means(self, counts: Float[Tensor, " row"] | None = None) -> Float[Tensor, " cell"]:
        """What rows add to each cell, per row; ``counts`` says how often each row is there, None for once."""
        added = self.excess if counts is None else self.excess * counts[self.row]
        return self.place.bincount(weights=added, minlength=self.num_cells) / self.num_rows

    def distance(self) -> Float[Tensor, ""]:
        """The sum over cells of the absolute mean; NaN without rows."""
        return self.means().abs().sum()


def _interval(cells: _Cells, *, num_resamples: int, seed: int) -> tuple[float, float]:
    """The 95 % interval of the distance, which holds it, at least 0.

    The percentile interval would lie too high: distances are too large with few rows, on resamples more so. By the
    triangle inequality the measured error is at most so far above the true one as the cells' mean excess of confidence
    is from its true values; resamples tell how far that is. So the lower end is the value less the 97.5 % quantile of
    this distance, 0 for a model that may well be calibrated. The upper end is that of the percentile interval.
    """
    measured = cells.means()
    drawn = torch.stack(
        [
            cells.means(index.bincount(minlength=cells.num_rows).double())
            for index in resamples(cells.num_rows, num_resamples, seed)
        ]
    )
    value = float(measured.abs().sum())
    _, off = percentile_interval((drawn - measured).abs().sum(dim=1)).tolist()
    _, high = percentile_interval(drawn.abs().sum(dim=1)).tolist()
    return max(0.0, value - off), max(value, high)


def _of_confidence(probs: Tensor, y: Tensor, num_bins: int) -> _Cells:
    """How far each row's confidence is above whether it is right, and its confidence bin."""
    require_labels(y, probs.shape[1])
    num_bins = whole_number("num_bins", num_bins, 1)
    confidence, predicted = probs.double().max(dim=1)
    place = (confidence * num_bins).ceil().long().clamp(1, num_bins) - 1
    row = torch.arange(len(y), device=y.device)
    return _Cells(row, place, confidence - (predicted == y).double(), len(y), num_bins)


def _excess(probs: Tensor, y: Tensor) -> Float[Tensor, " n num_classes"]:
    """How far each probability is above 1 for the label and 0 for other classes."""
    require_labels(y, probs.shape[1])
    return probs.double() - one_hot(y.long(), probs.shape[1]).double()


def _in_equal_widths(probs: Tensor, y: Tensor, num_bins: int) -> _Cells:
    (num_rows, num_classes), excess, num_bins = probs.shape, _excess(probs, y), whole_number("num_bins", num_bins, 1)
    place = (probs.double() * num_bins).ceil().long().clamp(1, num_bins) - 1
    place += num_bins * torch.arange(num_classes, device=place.device)
    row = torch.arange(num_rows, device=place.device)[:, None].expand_as(place)
    return _Cells(row.flatten(), place.flatten(), excess.flatten(), num_rows, num_bins * num_classes)


def _in_equal_counts(probs: Tensor, y: Tensor, num_bins: int) -> _Cells:
    (num_rows, num_classes), excess, num_bins = probs.shape, _excess(probs, y), whole_number("num_bins", num_bins, 1)
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    for label in range(num_classes):
        # Rows of equal probability fill the same stretch of the sorted rows.
        _, tied, count = probs[:, label].unique(return_inverse=True, return_counts=True)
        end = count.cumsum(dim=0).double()[tied] * num_bins / max(1, num_rows)
        begin = end - count.double()[tied] * num_bins / max(1, num_rows)
        first, last = begin.floor().long(), end.ceil().long()
        for step in range(int((last - first).max()) if num_rows else 0):
            place = first + step
            share = (torch.minimum(end, place + 1.0) - torch.maximum(begin, place.double())) / (end - begin)
            row = (share > 1e-9).nonzero().flatten()
            at = place[row].clamp_max(num_bins - 1) + label * num_bins
            parts.append((row, at, share[row] * excess[row, label]))
    row, at, added = (torch.cat(found) for found in zip(*parts, strict=True)) if parts else (y, y, excess.flatten())
    return _Cells(row, at, added, num_rows, num_bins * num_classes)
