"""Linear layers that hold several members."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class MemberLinear(nn.Module):
    """A linear layer whose weights all members share; each scales its inputs and outputs by numbers of its own.

    From Wen, Tran and Ba 2020, BatchEnsemble, equation 5.

    Args:
        differ: whether the members' input scales begin at random signs; else at 1, so that they begin alike.
    """

    def __init__(self, inputs: int, outputs: int, members: int, *, differ: bool = False) -> None:
        super().__init__()
        self.shared = nn.Linear(inputs, outputs, bias=False)
        signs = torch.randint(0, 2, (members, inputs)).mul(2).sub(1).float()
        self.input_scale = nn.Parameter(signs if differ else torch.ones(members, inputs))
        self.output_scale = nn.Parameter(torch.ones(members, outputs))
        self.bias = nn.Parameter(torch.empty(members, outputs).uniform_(-1, 1) / inputs**0.5)

    def forward(self, x: Float[Tensor, " batch _ inputs"]) -> Float[Tensor, " batch member outputs"]:
        found: Tensor = self.shared(x * self.input_scale) * self.output_scale + self.bias
        return found


class MemberHeads(nn.Module):
    """A linear layer of its own for each member."""

    def __init__(self, inputs: int, outputs: int, members: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-1, 1) / inputs**0.5)
        self.bias = nn.Parameter(torch.empty(members, outputs).uniform_(-1, 1) / inputs**0.5)

    def forward(self, x: Float[Tensor, " batch _ inputs"]) -> Float[Tensor, " batch member outputs"]:
        return torch.einsum("bmi,mio->bmo", x, self.weight) + self.bias
