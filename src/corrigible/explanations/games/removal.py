"""Removal: what stands for absent inputs.

A fixed baseline, or rows of data chosen in one of three ways (Sundararajan and Najmi 2020, The many Shapley values for
model explanation; Aas, Jullum and Løland 2021, Explaining individual predictions when features are dependent):

* ``marginal``: the absent inputs come together from one other row, whatever the present inputs are;
* ``independent``: each absent group comes from a different row;
* ``conditional``: the absent inputs come from the rows that are nearest in the present inputs, so that changed rows
  stay close to the data. The two other ways make rows unlike the data, on which a model can be made to look harmless.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.errors import DataError
from corrigible.explanations.baselines import Baseline, background_rows, baseline_row
from corrigible.types import Columns

Absent = Literal["marginal", "independent", "conditional"]


@dataclass(frozen=True)
class Removal:
    """The rows that fill in for absent inputs, and how they are chosen."""

    rows: Float[Tensor, " draw *input"]
    tie_breaks: Float[Tensor, " draw"] | None = None
    """For ``conditional``: small numbers that decide which of equally near rows come first."""

    @property
    def is_conditional(self) -> bool:
        return self.tie_breaks is not None

    @property
    def num_neighbours(self) -> int:
        """The square root of the number of rows, the usual choice for nearest neighbours."""
        return max(1, round(math.sqrt(len(self.rows))))

    @property
    def num_draws(self) -> int:
        """How many rows fill in for the absent inputs of one coalition."""
        return self.num_neighbours if self.is_conditional else len(self.rows)

    def nearest(self, apart: Float[Tensor, " batch coalition draw"]) -> Int[Tensor, " batch coalition neighbour"]:
        """The nearest rows by these distances."""
        assert self.tie_breaks is not None
        return (apart + self.tie_breaks).topk(self.num_neighbours, largest=False).indices


def removal_of(
    x: Float[Tensor, " batch *input"],
    labels: Int[Tensor, " one_or_batch *input"],
    *,
    columns: Columns | None = None,
    baseline: Baseline,
    background: Tensor | None,
    absent: Absent,
    seed: int,
) -> Removal:
    """The removal with its filling rows: the baseline, or the rows of ``background`` if given.

    Raises:
        DataError: a background that does not fit x; both a baseline and a background; groups that differ between rows
            for an ``absent`` that exchanges the values of single groups.
    """
    if background is None:
        if absent != "marginal":
            raise DataError(f"absent={absent!r} takes its values from data; give rows of it as background")
        return Removal(baseline_row(baseline, x, columns)[None])
    if baseline is not None:
        raise DataError("both a baseline and a background are given; expected one of them")
    rows = background_rows(background, x)
    if absent == "marginal":
        return Removal(rows)
    if len(labels) > 1:
        raise DataError(f"absent={absent!r} needs groups that are the same in all rows; use 'marginal' for segments")
    if absent == "conditional":
        # Far above the rounding error of a distance and far below its differences.
        drawn = torch.rand(len(rows), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        return Removal(rows, 1e-9 * drawn.to(rows.device))
    return Removal(_exchanged(rows, labels[0], seed))


def distances(
    x: Float[Tensor, " batch *input"], rows: Float[Tensor, " draw *input"], membership: Float[Tensor, " input group"]
) -> Float[Tensor, " batch draw group"]:
    """Squared distance in each group, in standard deviations of each input over ``rows``, in float64."""
    flat, others = x.flatten(1).double(), rows.flatten(1).double()
    scale = others.std(dim=0, correction=0)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return ((flat[:, None] - others) / scale).square() @ membership


def _exchanged(rows: Tensor, labels: Tensor, seed: int) -> Tensor:
    """The rows with the values of each group shuffled among them independently."""
    generator = torch.Generator().manual_seed(seed)
    num_groups = int(labels.max()) + 1
    order = torch.stack([torch.randperm(len(rows), generator=generator) for _ in range(num_groups)], dim=1)
    flat = rows.flatten(1)
    return flat.gather(0, order.to(rows.device)[:, labels.flatten()]).reshape(rows.shape)
