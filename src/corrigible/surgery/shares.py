"""The share of an explanation that some inputs have, and how much of them to keep so that it has a bound."""

from collections.abc import Callable

from jaxtyping import Bool, Float
from torch import Tensor

from corrigible.errors import DataError

HALVINGS = 12
"""Of the interval in which the share reaches its bound."""


def share_of(attribution: Float[Tensor, " batch *input"], chosen: Bool[Tensor, " *input"]) -> float:
    """The share of the absolute attribution of all rows that lies on the chosen inputs, from 0 to 1.

    Raises:
        DataError: the attribution is 0 everywhere, so that there is nothing to share.
    """
    sizes = attribution.detach().double().abs().sum(dim=0).cpu()
    total = float(sizes.sum())
    if total == 0:
        raise DataError(
            "the attribution of every row is 0, so no input has a share; give rows that the model tells apart"
        )
    return float(sizes[chosen.cpu()].sum()) / total


def bounded(measured: Callable[[float], float], bound: float) -> float:
    """How much to keep, from 0 to 1, so that the measured share is at most the bound; 1 if it is within it already.

    By bisection: the share just above what is returned exceeds the bound, within 2⁻¹². The share need not grow with
    what is kept, only change continuously.

    Args:
        measured: what is kept → the share.

    Raises:
        DataError: the share exceeds the bound even where nothing is kept.
    """
    if measured(1.0) <= bound:
        return 1.0
    if (least := measured(0.0)) > bound:
        raise DataError(
            f"the share is {least:.3g} where nothing of the inputs is kept; expected at most {bound:g}, so no limit "
            "reaches it: explain by a method whose attributions of inputs without influence are 0"
        )
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if measured(middle) <= bound else (low, middle)
    return low
