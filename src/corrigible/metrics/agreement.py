"""Cohen 1968, weighted kappa: agreement of ordered classes beyond chance."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def quadratic_kappa(predicted: Int[Tensor, " n"], y: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Agreement of class numbers with squared distances as weights: 1 is perfect, 0 is chance, negative is worse.

    Chance is what would agree if predictions were paired with labels at random. NaN if all are one class.
    """
    first, second = predicted.double(), y.double()
    by_chance = first.square().mean() + second.square().mean() - 2 * first.mean() * second.mean()
    if not bool((torch.cat([predicted, y]) != y[:1]).any()):
        return torch.tensor(torch.nan, dtype=torch.float64)
    return 1 - (first - second).square().mean() / by_chance
