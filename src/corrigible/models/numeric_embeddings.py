"""Gorishniy, Rubachev and Babenko 2022, On embeddings for numerical features in tabular deep learning, section 3.2."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.models.monotone import magnitude

FIRST_WEIGHT = 0.01
"""Of a place, in a column with a direction."""


class PiecewiseLinear(nn.Module):
    """Embeds each column of numbers on its own, as a function that is linear between knots.

    A number becomes its place among the knots: 1 for each interval that lies below it, its share of the interval that
    it lies in, 0 for those above. Beyond the outermost knots the function goes on in a straight line. The embedding is
    learned as a linear function of these places, plus one of the number itself, from which it starts: the weights of
    the places begin at 0.

    Args:
        knots: for each column at least two numbers that increase, such as quantiles over the training rows.
        size: length of a column's embedding.
        directions: for each column 1 if each number of its embedding may only rise with the column, -1 if it may only
            fall, 0 if it is free; None if all are.
    """

    def __init__(self, knots: Sequence[Sequence[float]], size: int, directions: Sequence[int] | None = None) -> None:
        super().__init__()
        start, width, first, last, used = _intervals(knots)
        for name, facts in (("start", start), ("width", width), ("first", first), ("last", last), ("used", used)):
            self.register_buffer(name, facts)
        columns, intervals = start.shape
        self.slope = nn.Parameter(torch.empty(columns, size).uniform_(-1, 1))
        self.offset = nn.Parameter(torch.empty(columns, size).uniform_(-1, 1))
        self.weight = nn.Parameter(torch.zeros(columns, intervals, size))
        self.directed = directions is not None and any(directions)
        if directions is not None and self.directed:
            # On the CPU also where a network is only sized, without memory for its weights.
            self.register_buffer("direction", torch.tensor(list(directions), dtype=torch.float32, device="cpu"))
            with torch.no_grad():  # At 0 the magnitude of a weight has no gradient.
                self.weight[self.get_buffer("direction") != 0] = FIRST_WEIGHT

    def places(self, x: Float[Tensor, " batch column"]) -> Float[Tensor, " batch column interval"]:
        """Each number's place among the knots."""
        share = (x[..., None] - self.get_buffer("start")) / self.get_buffer("width")
        above = torch.where(self.get_buffer("first"), share, share.clamp_min(0))
        return torch.where(self.get_buffer("last"), above, above.clamp_max(1)) * self.get_buffer("used")

    def forward(self, x: Float[Tensor, " batch column"]) -> Float[Tensor, " batch column size"]:
        weight, slope = self._in_their_directions()
        of_places = torch.einsum("bci,cis->bcs", self.places(x), weight)
        return torch.addcmul(of_places + self.offset, x[..., None], slope)

    def _in_their_directions(self) -> tuple[Tensor, Tensor]:
        """The weights of the places and of the numbers themselves."""
        if not self.directed:
            return self.weight, self.slope
        direction = self.get_buffer("direction")[:, None]
        is_free = direction == 0
        slope = torch.where(is_free, self.slope, magnitude(self.slope) * direction)
        return torch.where(is_free[..., None], self.weight, magnitude(self.weight) * direction[..., None]), slope


def _intervals(knots: Sequence[Sequence[float]]) -> tuple[Tensor, ...]:
    """Start and width of each interval, which are the first, the last and in use; columns with fewer are filled up."""
    if any(len(column) < 2 or list(column) != sorted(set(column)) for column in knots):
        raise ValueError("knots must hold at least two increasing numbers for each column")
    most = max((len(column) for column in knots), default=2) - 1
    start, width = torch.zeros(len(knots), most), torch.ones(len(knots), most)
    first, last, used = (torch.zeros(len(knots), most, dtype=torch.bool) for _ in range(3))
    for place, column in enumerate(knots):
        edges, count = torch.tensor(column), len(column) - 1
        start[place, :count], width[place, :count] = edges[:-1], edges.diff()
        first[place, 0], last[place, count - 1], used[place, :count] = True, True, True
    return start, width, first, last, used
