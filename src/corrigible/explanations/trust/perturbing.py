"""The constraint set of an attack: norm ball and data range."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Norm = Literal["linf", "l2"]
TRAVEL = 2.5
"""Length of all steps together, in budgets: enough to cross the ball and turn (Madry et al. 2018, appendix)."""


@dataclass(frozen=True)
class Allowed:
    """The allowed rows: within a budget of the given rows, and within the range of the data."""

    rows: Float[Tensor, " batch *input"]
    budget: float
    norm: Norm
    data_range: tuple[float, float]

    def stepped(
        self, x: Float[Tensor, " batch *input"], gradient: Float[Tensor, " batch *input"], *, num_steps: int
    ) -> Float[Tensor, " batch *input"]:
        """The rows after one of ``num_steps`` steps against the gradient, projected onto the allowed rows."""
        size = TRAVEL * self.budget / num_steps
        direction = gradient.sign() if self.norm == "linf" else gradient / _length(gradient)
        return self.projected(x - size * direction)

    def projected(self, x: Float[Tensor, " batch *input"]) -> Float[Tensor, " batch *input"]:
        """The nearest row within the budget, then the nearest within the range of the data."""
        change = x - self.rows
        if self.norm == "linf":
            change = change.clamp(-self.budget, self.budget)
        else:
            change = change * (self.budget / _length(change)).clamp_max(1.0)
        # A given row that lies outside of the range may stay where it is.
        low, high = (torch.full_like(x, bound) for bound in self.data_range)
        return torch.minimum(torch.maximum(self.rows + change, low.minimum(self.rows)), high.maximum(self.rows))


def _length(values: Tensor) -> Tensor:
    length: Tensor = values.flatten(1).norm(dim=1).clamp_min(torch.finfo(values.dtype).tiny)
    return length.reshape(-1, *[1] * (values.ndim - 1))
