"""The order of values within a row, with all values of a tie treated alike.

NumPy sorts several times faster than PyTorch on a CPU.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.errors import RecipeError


@dataclass(frozen=True)
class Order:
    """The rank of each value among those of its row."""

    above: Float[Tensor, " batch inputs"]
    """How many values of the row are larger."""
    ties: Float[Tensor, " batch inputs"]
    """How many values of the row are equal, itself included."""


def order_of(values: Float[Tensor, " batch inputs"]) -> Order:
    """The order of each row's values, largest first."""
    falling = -values.numpy()
    place = np.argsort(falling, axis=1)
    ordered, position = np.take_along_axis(falling, place, axis=1), np.arange(falling.shape[1])
    is_first = np.ones(falling.shape, dtype=bool)
    is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    above, ties = np.broadcast_to(position, falling.shape), np.ones(falling.shape)
    if not is_first.all():
        above = np.maximum.accumulate(np.where(is_first, position, 0), axis=1)
        is_last = np.roll(is_first, -1, axis=1)
        beyond = np.where(is_last, position + 1, falling.shape[1])
        ties = np.minimum.accumulate(beyond[:, ::-1], axis=1)[:, ::-1] - above
    found = np.empty((2, *falling.shape))
    for of_input, in_order in zip(found, (above, ties), strict=True):
        np.put_along_axis(of_input, place, in_order, axis=1)
    return Order(*torch.from_numpy(found))


def top_share_of(values: Float[Tensor, " batch inputs"], count: Float[Tensor, " batch 1"]) -> Tensor:
    """The probability that each value is among the ``count`` largest of its row, when ties are broken at random."""
    rising, last = ascending_of(values), values.shape[1] - 1
    cut = rising.gather(1, (values.shape[1] - count).long().clamp_max(last))
    is_above, is_at = values > cut, values == cut
    left = (count - is_above.sum(dim=1, keepdim=True)) / is_at.sum(dim=1, keepdim=True)
    return is_above + is_at * left.clamp_min(0)


def ascending_of(values: Float[Tensor, " batch inputs"]) -> Float[Tensor, " batch inputs"]:
    """Each row's values, smallest first."""
    return torch.from_numpy(np.sort(values.numpy(), axis=1))


def top_count_of(top: int | None, num_inputs: int) -> int:
    """How many inputs the top holds; for None a tenth of them, and at least one.

    Raises:
        RecipeError: fewer than 1 or more than there are inputs.
    """
    if top is None:
        return max(1, num_inputs // 10)
    if not 1 <= top <= num_inputs:
        raise RecipeError(f"top is {top}; expected 1 to {num_inputs}, the number of inputs")
    return top
