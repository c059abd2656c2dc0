"""What is kept of influences while the training rows are gone through: all of them, or of each query the strongest."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Kept:
    """The influences that were kept, and what there is to say of all that were computed."""

    values: Float[Tensor, " query kept"]
    """NaN where a query has fewer."""
    rows: Int[Tensor, " query kept"] | None
    """The training row of each value, -1 where there is none; None where the j-th value is of row j."""
    num_computed: int
    num_not_finite: int
    has_finite: Bool[Tensor, " query"]
    """Whether any value of the query is a finite number; and whether any is not 0."""
    has_slope: Bool[Tensor, " query"]


class Collecting:
    """Takes in the influences of some training rows after the others and holds no more of them than are kept."""

    def __init__(
        self,
        num_queries: int,
        num_rows: int,
        *,
        chosen: Int[Tensor, " query chosen"] | None,
        most: int | None,
        dtype: torch.dtype,
    ) -> None:
        """
        Args:
            chosen: the only training rows that count; None for all.
            most: how many rows of each sign are kept of each query; None for all.
        """
        width = num_rows if chosen is None else chosen.shape[1]
        self.chosen, self.most = chosen, None if most is None else min(most, width)
        self.rows = chosen
        if chosen is None and most is not None:
            self.rows, width = torch.empty(num_queries, 0, dtype=torch.long), 0
        self.values = torch.full((num_queries, width), torch.nan, dtype=dtype)
        self.num_computed = self.num_not_finite = 0
        self.has_finite, self.has_slope = torch.zeros(2, num_queries, dtype=torch.bool)

    def add(self, part: Int[Tensor, " row"], values: Float[Tensor, " query row"]) -> None:
        """Take in the influences of these training rows, whose positions rise."""
        if self.chosen is not None:
            place = torch.searchsorted(part, self.chosen).clamp_max(len(part) - 1)
            self.values = torch.where(part[place] == self.chosen, values.gather(1, place), self.values)
            return
        self._count(values)
        if self.most is None:
            self.values[:, part] = values
            return
        assert self.rows is not None
        rows = torch.cat([self.rows, part.expand(len(values), -1)], dim=1)
        self.values, self.rows = strongest(torch.cat([self.values, values], dim=1), rows, self.most)

    def found(self) -> Kept:
        values, rows = self.values, self.rows
        if self.chosen is not None:
            self._count(values)
            if self.most is not None:
                values, rows = strongest(values, self.chosen, self.most)
        return Kept(values, rows, self.num_computed, self.num_not_finite, self.has_finite, self.has_slope)

    def _count(self, values: Tensor) -> None:
        is_finite = values.isfinite()
        self.num_computed += values.numel()
        self.num_not_finite += int((~is_finite).sum())
        self.has_finite = self.has_finite | is_finite.any(dim=1)
        self.has_slope = self.has_slope | (values != 0).any(dim=1)


def strongest(
    values: Float[Tensor, " query row"], rows: Int[Tensor, " query row"], most: int
) -> tuple[Float[Tensor, " query kept"], Int[Tensor, " query kept"]]:
    """Of each query the ``most`` most helpful rows and then the ``most`` most harmful ones, each the strongest first.

    Of equal ones those that stand first are kept. Where a query has fewer, the value is NaN and the row -1.
    """
    found = [_of_sign(values, rows, most, sign) for sign in (1, -1)]
    kept, index = (torch.cat(parts, dim=1) for parts in zip(*found, strict=True))
    return kept, index


def _of_sign(values: Tensor, rows: Tensor, most: int, sign: int) -> tuple[Tensor, Tensor]:
    strength = (sign * values).nan_to_num(-torch.inf, torch.inf, -torch.inf)
    strength = strength.masked_fill(strength <= 0, -torch.inf)
    strength, order = strength.sort(dim=1, descending=True, stable=True)
    strength, order = strength[:, :most], order[:, :most]
    is_one = strength > 0
    return values.gather(1, order).where(is_one, torch.nan), rows.gather(1, order).where(is_one, -1)
