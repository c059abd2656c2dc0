"""Guo et al. 2017, on calibration of modern neural networks."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.intervals import percentile_interval, resamples


def expected_calibration_error(
    probs: Float[Tensor, " n num_classes"], y: Int[Tensor, " n"], *, num_bins: int = 15
) -> Float[Tensor, ""]:
    """Distance between confidence and accuracy, averaged over rows, in [0, 1] (equation 3).

    Confidence is the largest probability. Rows are put into confidence bins of equal width, open below and closed
    above; the distance is |accuracy − mean confidence| within a bin. With few rows per bin it is too large.
    """
    excess, place = _excess(probs, y, num_bins)
    return place.bincount(weights=excess).abs().sum() / len(y)


def calibration_interval_of(
    probs: Float[Tensor, " n num_classes"],
    y: Int[Tensor, " n"],
    *,
    num_bins: int = 15,
    num_resamples: int,
    seed: int = 0,
) -> tuple[float, float]:
    """The 95 % interval of the expected calibration error, which holds the measured value, in [0, 1].

    The percentile interval would lie too high: distances are too large with few rows, on resamples more so. By the
    triangle inequality the measured error is at most so far above the true one as the bins' mean excess of confidence
    is from its true values; resamples tell how far that is. So the lower end is the value less the 97.5 % quantile of
    this distance, 0 for a model that may well be calibrated. The upper end is that of the percentile interval.
    """
    excess, place = _excess(probs, y, num_bins)
    measured = place.bincount(weights=excess, minlength=num_bins) / len(y)
    drawn = torch.stack(
        [
            place[index].bincount(weights=excess[index], minlength=num_bins) / len(y)
            for index in resamples(len(y), num_resamples, seed)
        ]
    )
    value = float(measured.abs().sum())
    _, off = percentile_interval((drawn - measured).abs().sum(dim=1)).tolist()
    _, high = percentile_interval(drawn.abs().sum(dim=1)).tolist()
    return max(0.0, value - off), max(value, high)


def _excess(probs: Tensor, y: Tensor, num_bins: int) -> tuple[Tensor, Tensor]:
    """How far each row's confidence is above whether it is right, and its confidence bin."""
    confidence, predicted = probs.double().max(dim=1)
    place = (confidence * num_bins).ceil().long().clamp(1, num_bins) - 1
    return confidence - (predicted == y).double(), place
