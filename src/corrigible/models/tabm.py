"""Gorishniy, Kotelnikov and Babenko 2025, TabM: advancing tabular deep learning with parameter-efficient ensembling."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.models.affine import Affine, Numbers, affine
from corrigible.models.members import MemberHeads, MemberLinear
from corrigible.models.monotone import MonotoneBody, MonotoneHeads, directions_of
from corrigible.models.numeric_embeddings import PiecewiseLinear
from corrigible.models.pair_products import PairProducts, columns_of_pairs


class TabM(nn.Module):
    """A network for an encoded table that embeds numbers and holds several members that share most weights.

    Its output is the mean of the members' outputs. Train it with the loss ``member_task_loss``, so that each member
    learns the labels by itself.
    """

    def __init__(
        self,
        one_hot: Sequence[bool],
        embedding: nn.Module,
        body: nn.Module,
        members: nn.Module,
        products: PairProducts | None = None,
    ) -> None:
        super().__init__()
        # On the CPU also where a network is only sized, without memory for its weights.
        is_category = torch.tensor(list(one_hot), dtype=torch.bool, device="cpu")
        self.register_buffer("numbers", (~is_category).nonzero()[:, 0])
        self.register_buffer("categories", is_category.nonzero()[:, 0])
        self.embedding, self.body, self.members, self.products = embedding, body, members, products

    def member_outputs(self, x: Float[Tensor, " batch column"]) -> Float[Tensor, " member batch output"]:
        """The outputs of each member."""
        embedded = self.embedding(x[:, self.get_buffer("numbers")]).flatten(1)
        beside = [] if self.products is None else [self.products(x)]
        inputs = torch.cat([embedded, x[:, self.get_buffer("categories")], *beside], dim=1)
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
    features: Sequence[str] = (),
    output_directions: Sequence[int] = (),
    members: int = 8,
    hidden: Sequence[int] = (256, 256),
    embedding: int = 16,
    dropout: float = 0.1,
    monotonic_cst: Mapping[str, int] | None = None,
    interactions: Sequence[Sequence[str]] = (),
) -> TabM:
    """Network for an encoded table: numbers embedded as piecewise linear functions, members that share most weights.

    Args:
        one_hot: for each column whether it is one of a category, which enters as it is.
        num_classes: number of outputs.
        centre, scale: of the outputs, for amounts in their own unit.
        knots: for each column of numbers, where its embedding may bend: quantiles over the training rows.
        features: for each column the name of its feature.
        output_directions: for each output 1 if it rises with the prediction, -1 if it falls; 0 if a column in
            ``monotonic_cst`` must not reach it.
        members: how many networks answer together.
        embedding: length of the embedding of a number.
        monotonic_cst: by the name of a feature 1 if the prediction must never fall as its number grows, -1 if it must
            never rise, 0 if it is free.
        interactions: pairs of names of features whose products are inputs too.
    """
    if members < 1 or embedding < 1 or any(size < 1 for size in hidden):
        raise ValueError(f"members={members}, embedding={embedding}, hidden={list(hidden)}; expected at least 1 each")
    if len(knots) != len(one_hot) - sum(one_hot):
        raise ValueError(f"knots are for {len(knots)} columns; expected one list for each column of numbers")
    directions = directions_of(monotonic_cst or {}, features, one_hot, output_directions)
    embedded = PiecewiseLinear(
        knots, embedding, [d for d, is_one in zip(directions, one_hot, strict=True) if not is_one]
    )
    pairs = columns_of_pairs(interactions, features, one_hot, directions)
    products = PairProducts(pairs) if pairs else None
    last = affine(centre, scale)
    if any(directions):
        rises = [bool(d) for d, is_one in zip(directions, one_hot, strict=True) if not is_one for _ in range(embedding)]
        body = MonotoneBody([*rises, *[False] * (sum(one_hot) + len(pairs))], hidden, members, dropout)
        heads = MonotoneHeads(body.sizes, output_directions, members)
        return TabM(one_hot, embedded, body, nn.Sequential(heads, *last), products)
    sizes = [len(knots) * embedding + sum(one_hot) + len(pairs), *hidden]
    layers: list[nn.Module] = []
    for place, (before, after) in enumerate(pairwise(sizes)):
        layers += [MemberLinear(before, after, members, differ=place == 0), nn.ReLU(), nn.Dropout(dropout)]
    heads_of_all = nn.Sequential(MemberHeads(sizes[-1], num_classes, members), *last)
    return TabM(one_hot, embedded, nn.Sequential(*layers), heads_of_all, products)
