"""A network that sees no number beyond the range of its training rows."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.data.dataset import as_dataset, rows_of
from corrigible.models.networks import copied, network_of


class ClampedInputs(nn.Module):
    """A network that sees each input within a range: what is beyond is taken for the nearer end.

    So the answer to any row is that to a row within the range, however large its numbers are. NaN stays NaN.
    """

    def __init__(self, network: nn.Module, low: Float[Tensor, " *input"], high: Float[Tensor, " *input"]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("low", low.clone())
        self.register_buffer("high", high.clone())

    low: Tensor
    high: Tensor

    def forward(self, x: Float[Tensor, " batch *input"]) -> Tensor:
        found: Tensor = self.network(x.clamp(self.low.to(x), self.high.to(x)))
        return found


def clamped_inputs(model: Any, data: Any) -> ClampedInputs:
    """A copy of the network that sees each input within its range among these rows; the network is left as it was.

    Rows within the range get the same answer as before. A single wrong number, however large, moves an answer no more
    than the nearer end of its column's range would.

    Args:
        data: the training rows, ``(x, y)`` or a data set.

    Raises:
        DataError: rows that are none.
        UnsupportedModelError: no network.
    """
    dataset = as_dataset(data)
    x = rows_of(dataset, torch.arange(len(dataset))).x
    return ClampedInputs(copied(network_of(model)), x.amin(dim=0), x.amax(dim=0))
