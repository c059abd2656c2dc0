"""How large numbers are: what penalties on weights and on activations share."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

Norm = Literal["l1", "l2", "linf"]


def mean_norm(values: Float[Tensor, " row *number"], norm: Norm) -> Float[Tensor, ""]:
    """The mean over rows of the mean absolute number, the mean square, or the largest absolute number.

    They are the row's L1 norm and squared L2 norm, divided by the count of its numbers, and its L∞ norm.
    """
    numbers = values.flatten(1)
    if norm == "linf":
        return numbers.abs().amax(dim=1).mean()
    return (numbers.abs() if norm == "l1" else numbers.square()).mean()
