"""What a correction must beat: a network that simply does not see the marked inputs."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from corrigible.feedback.masks import Masks


class MaskedInputs(nn.Module):
    """A network whose marked inputs are set to 0 before it runs, so that it never sees them."""

    def __init__(self, network: nn.Module, input_shape: Sequence[int]) -> None:
        super().__init__()
        self.network = network
        self.visible: Tensor
        self.register_buffer("visible", torch.ones(tuple(input_shape)))

    def hide(self, irrelevant: Bool[Tensor, " *input"]) -> None:
        """From now on these inputs are 0."""
        self.visible.masked_fill_(irrelevant.to(self.visible.device), 0.0)

    def forward(self, x: Float[Tensor, " batch *input"]) -> Tensor:
        output: Tensor = self.network(x * self.visible.to(x.dtype))
        return output


def marked_anywhere(masks: Masks) -> Bool[Tensor, " *input"]:
    """True where an input is marked on any row."""
    return torch.stack([masks.everywhere, *masks.by_class.values(), *masks.by_row.values()]).any(dim=0)
