"""Hanley and McNeil 1982, the meaning and use of the area under a receiver operating characteristic curve."""

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor


def auc(probs: Float[Tensor, " n num_classes"], y: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Area under the ROC curve: the probability that a row of the class is ranked above a row of another class.

    Rows are ranked by their probability of the class; a tie counts half. With two classes it is that of class 1; with
    more, each class against the rest, averaged over the classes for which both occur. NaN if only one class occurs.
    """
    classes = range(probs.shape[1]) if probs.shape[1] > 2 else (1,)
    columns, labels = probs.numpy(force=True), y.numpy(force=True)
    areas = [_area(columns[:, label], labels == label) for label in classes]
    return torch.tensor(areas, dtype=torch.float64).nanmean()


def _area(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """Mann and Whitney's U over its largest value."""
    # NumPy, because its sort is several times faster than PyTorch's and the bootstrap calls this a thousand times.
    above, below = np.sort(scores[positive]), np.sort(scores[~positive])
    if not len(above) or not len(below):
        return float("nan")
    twice_won = np.searchsorted(below, above, "left").sum() + np.searchsorted(below, above, "right").sum()
    return float(twice_won) / (2 * len(above) * len(below))


def macro_auc(probs: Float[Tensor, " n label"], y: Float[Tensor, " n label"]) -> Float[Tensor, ""]:
    """Area under the ROC curve of each label, averaged over the labels that some rows have and others lack.

    NaN if there is no such label.
    """
    columns, labels = probs.numpy(force=True).T, y.numpy(force=True).T > 0
    areas = [_area(scores, positive) for scores, positive in zip(columns, labels, strict=True)]
    return torch.tensor(areas, dtype=torch.float64).nanmean()
