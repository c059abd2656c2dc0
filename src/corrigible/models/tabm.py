"""Gorishniy, Kotelnikov and Babenko 2025, TabM: advancing tabular deep learning with parameter-efficient ensembling."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.models.affine import Affine, Numbers, affine
from corrigible.models.numeric_embeddings import PiecewiseLinear


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

    def forward(self, x: Float[Tensor, " batch member inputs"]) -> Float[Tensor, " batch member outputs"]:
        return torch.einsum("bmi,mio->bmo", x, self.weight) + self.bias


class TabM(nn.Module):
    """A network for an encoded table that embeds numbers and holds several members that share most weights.

    Its output is the mean of the members' outputs. Train it with the loss ``member_task_loss``, so that each member
    learns the labels by itself.
    """

    def __init__(self, one_hot: Sequence[bool], embedding: nn.Module, body: nn.Module, members: nn.Module) -> None:
        super().__init__()
        # On the CPU also where a network is only sized, without memory for its weights.
        is_category = torch.tensor(list(one_hot), dtype=torch.bool, device="cpu")
        self.register_buffer("numbers", (~is_category).nonzero()[:, 0])
        self.register_buffer("categories", is_category.nonzero()[:, 0])
        self.embedding, self.body, self.members = embedding, body, members

    def member_outputs(self, x: Float[Tensor, " batch column"]) -> Float[Tensor, " member batch output"]:
        """The outputs of each member."""
        embedded = self.embedding(x[:, self.get_buffer("numbers")]).flatten(1)
        inputs = torch.cat([embedded, x[:, self.get_buffer("categories")]], dim=1)
        return self.by_member(self.members(self.body(inputs[:, None])))

    def by_member(self, outputs: Float[Tensor, " batch member output"]) -> Float[Tensor, " member batch output"]:
        """What the submodule ``members`` gives, with the members first."""
        return outputs.movedim(1, 0)

    def combined(self, outputs: Float[Tensor, " member batch output"]) -> Float[Tensor, " batch output"]:
        """The network's output from those of its members."""
        return outputs.mean(dim=0)

    @torch.no_grad()
    def shift(self, by: Float[Tensor, " output"]) -> None:
        """Add numbers to the outputs of all members, and so to the network's own, in place."""
        heads = next(module for module in self.members.modules() if isinstance(module, MemberHeads))
        scales = [module.get_buffer("scale") for module in self.members.modules() if isinstance(module, Affine)]
        heads.bias.add_(by.to(heads.bias) / (scales[0] if scales else 1.0))

    def forward(self, x: Float[Tensor, " batch column"]) -> Float[Tensor, " batch output"]:
        return self.combined(self.member_outputs(x))


def tabm(
    one_hot: Sequence[bool],
    num_classes: int,
    centre: Numbers = 0.0,
    scale: Numbers = 1.0,
    *,
    knots: Sequence[Sequence[float]],
    members: int = 8,
    hidden: Sequence[int] = (256, 256),
    embedding: int = 16,
    dropout: float = 0.1,
) -> TabM:
    """Network for an encoded table: numbers embedded as piecewise linear functions, members that share most weights.

    Args:
        one_hot: for each column whether it is one of a category, which enters as it is.
        num_classes: number of outputs.
        centre, scale: of the outputs, for amounts in their own unit.
        knots: for each column of numbers, where its embedding may bend: quantiles over the training rows.
        members: how many networks answer together.
        embedding: length of the embedding of a number.
    """
    if members < 1 or embedding < 1 or any(size < 1 for size in hidden):
        raise ValueError(f"members={members}, embedding={embedding}, hidden={list(hidden)}; expected at least 1 each")
    if len(knots) != len(one_hot) - sum(one_hot):
        raise ValueError(f"knots are for {len(knots)} columns; expected one list for each column of numbers")
    sizes = [len(knots) * embedding + sum(one_hot), *hidden]
    layers: list[nn.Module] = []
    for place, (before, after) in enumerate(pairwise(sizes)):
        layers += [MemberLinear(before, after, members, differ=place == 0), nn.ReLU(), nn.Dropout(dropout)]
    heads = nn.Sequential(MemberHeads(sizes[-1], num_classes, members), *affine(centre, scale))
    return TabM(one_hot, PiecewiseLinear(knots, embedding), nn.Sequential(*layers), heads)
