"""Spearman 1904 and Kendall 1938: whether predictions have the order of the labels."""

import numpy as np
import torch
from jaxtyping import Float, Shaped
from numpy.typing import NDArray
from torch import Tensor


def spearman(
    predicted: Shaped[Tensor, " n"], y: Shaped[Tensor, " n"], exposure: Float[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Correlation of the ranks of predictions and labels: 1 is the same order, 0 none, −1 the opposite one.

    The prediction of a label is the predicted mean times the exposure. Ties share their mean rank. NaN if all
    predictions or all labels are equal.
    """
    from scipy.stats import rankdata  # Here, because it takes a second to load.

    given = (predicted.double() * exposure.double(), y)
    ranks = [rankdata(values.numpy(force=True)) - (len(y) + 1) / 2 for values in given]
    spread = [np.sqrt((rank**2).sum()) for rank in ranks]
    if not spread[0] or not spread[1]:
        return torch.tensor(torch.nan, dtype=torch.float64)
    return torch.tensor((ranks[0] * ranks[1]).sum() / spread[0] / spread[1], dtype=torch.float64).clamp(-1, 1)


def pair_accuracy(
    predicted: Shaped[Tensor, " n"], y: Shaped[Tensor, " n"], query: Shaped[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Share of pairs of rows with different labels that the predictions put in the right order; a tie counts half.

    Only rows of the same query are compared. 0.5 is chance; NaN without any such pair.
    """
    place = np.unique(query.numpy(force=True), return_inverse=True)[1]
    scores, labels = (_within(place, values.numpy(force=True)) for values in (predicted, y))
    num_pairs = len(place) * (len(place) - 1) / 2
    across = num_pairs - _num_tied(place)
    different = num_pairs - across - _num_tied(labels)
    if not different:
        return torch.tensor(torch.nan, dtype=torch.float64)
    return torch.tensor((1 + (_right_less_wrong(scores, labels) - across) / different) / 2, dtype=torch.float64)


def _within(place: NDArray[np.integer], values: NDArray[np.generic]) -> NDArray[np.integer]:
    """Ranks of the values within their query, above all ranks of the queries before: these pairs are always right."""
    ranks: NDArray[np.integer] = place * (len(place) + 1) + np.unique(values, return_inverse=True)[1]
    return ranks


def _num_tied(values: NDArray[np.integer]) -> float:
    """The number of pairs of equal values."""
    count = np.unique(values, return_counts=True)[1]
    return float((count * (count - 1) / 2).sum())


def _right_less_wrong(scores: NDArray[np.integer], labels: NDArray[np.integer]) -> float:
    """The number of pairs in the same order minus that of pairs in the opposite one, n log n by Knight 1966."""
    from scipy.stats import kendalltau  # Here, because it takes a second to load.

    num_pairs = len(scores) * (len(scores) - 1) / 2
    untied = [num_pairs - _num_tied(values) for values in (scores, labels)]
    if not untied[0] or not untied[1]:
        return 0.0
    found = kendalltau(scores, labels, method="asymptotic").statistic
    return float(np.round(found * np.sqrt(untied[0]) * np.sqrt(untied[1])))
