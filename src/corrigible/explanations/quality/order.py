"""The order of values within a row, with ties treated alike."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.errors import RecipeError


@dataclass(frozen=True)
class Order:
    """Where each value stands among those of its row."""

    above: Float[Tensor, " batch inputs"]
    """How many are larger."""
    ties: Float[Tensor, " batch inputs"]
    """How many are equal, itself included."""

    def share_in_top(self, count: Float[Tensor, " batch one"] | int) -> Float[Tensor, " batch inputs"]:
        """The probability that each is among the ``count`` largest, when ties are broken at random."""
        return ((count - self.above) / self.ties).clamp(0, 1)


def order_of(values: Float[Tensor, " batch inputs"]) -> Order:
    """The order of each row's values, largest first."""
    falling = -values
    ascending = falling.sort(dim=1).values
    above = torch.searchsorted(ascending, falling)
    upto = torch.searchsorted(ascending, falling, right=True)
    return Order(above.double(), (upto - above).double())


def top_count_of(top: int | None, num_inputs: int) -> int:
    """How many inputs the top holds: a tenth of them, and at least one, where nothing is said.

    Raises:
        RecipeError: fewer than 1 or more than there are inputs.
    """
    if top is None:
        return max(1, num_inputs // 10)
    if not 1 <= top <= num_inputs:
        raise RecipeError(f"top is {top}; expected 1 to {num_inputs}, the number of inputs")
    return top
