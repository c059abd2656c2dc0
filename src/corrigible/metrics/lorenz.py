"""Frees, Meyers and Cummings 2011, summarizing insurance scores using a Gini index."""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from corrigible.tasks.rates import all_equal


def gini(predicted: Float[Tensor, " n"], y: Float[Tensor, " n"], exposure: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """How well predictions per unit of exposure order the labels: 1 as well as the labels themselves, 0 not at all.

    Rows are put in ascending order of the prediction; the concentration curve shows which share of the sum of labels
    falls on the first rows, as a function of their share of exposure. The result is its area below the diagonal,
    divided by that of the order of the labels per unit of exposure. Rows that tie share a straight piece. NaN if a
    label is negative or all rates are equal but for rounding.
    """
    amounts, weights = (values.double().numpy(force=True) for values in (y, exposure))
    rates = amounts / weights
    if all_equal(torch.from_numpy(rates)) or amounts.min() < 0:
        return torch.tensor(torch.nan, dtype=torch.float64)
    area, largest = (_area(order, amounts, weights) for order in (predicted.numpy(force=True), rates))
    return torch.tensor(area / largest, dtype=torch.float64)


def _area(order: NDArray[np.floating], amounts: NDArray[np.floating], weights: NDArray[np.floating]) -> float:
    """Twice the area between the diagonal and the concentration curve."""
    place = np.unique(order, return_inverse=True)[1]
    heights, widths = (np.bincount(place, weights=values / values.sum()) for values in (amounts, weights))
    curve = np.concatenate([[0.0], heights.cumsum()])
    return float(1 - (widths * (curve[1:] + curve[:-1])).sum())
