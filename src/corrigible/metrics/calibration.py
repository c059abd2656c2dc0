"""Guo et al. 2017, on calibration of modern neural networks."""

from jaxtyping import Float, Int
from torch import Tensor


def expected_calibration_error(
    probs: Float[Tensor, " n num_classes"], y: Int[Tensor, " n"], *, num_bins: int = 15
) -> Float[Tensor, ""]:
    """Distance between confidence and accuracy, averaged over rows, in [0, 1] (equation 3).

    Confidence is the largest probability. Rows are put into confidence bins of equal width, open below and closed
    above; the distance is |accuracy − mean confidence| within a bin. With few rows per bin it is too large.
    """
    confidence, predicted = probs.double().max(dim=1)
    place = (confidence * num_bins).ceil().long().clamp(1, num_bins) - 1
    excess = place.bincount(weights=confidence - (predicted == y).double())
    return excess.abs().sum() / len(y)
