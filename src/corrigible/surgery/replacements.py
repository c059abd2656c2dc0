"""What stands in place of limited inputs, learned from rows.

``expected`` is the part of an input that the other inputs determine linearly; what is left of it has no influence. It
is what a model trained without the input could know of it, so proxies go on standing in for it. ``average`` lets
nothing stand in: so Pope and Sydnor 2011, Implementing anti-discrimination policies in statistical profiling models,
take a characteristic out of a model that was trained with it.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from corrigible.errors import DataError, RecipeError, unknown
from corrigible.explanations.baselines import neutral_row
from corrigible.types import Columns

REMOVALS = ("expected", "average", "mean", "baseline")
NUM_VALUES = 64
"""Rows whose values are averaged over; each different one costs a pass."""
ROWS_PER_INPUT = 5
"""Fewest rows per other input, so that a regression on them says more than the rows' noise."""


class Replacement(NamedTuple):
    """Values for the limited inputs, flattened: one, or several that the output is averaged over."""

    values: Float[Tensor, " value limited"]
    repeats: Int[Tensor, " value"]
    """How often each of the values counts in the average."""
    slope: Float[Tensor, " limited input"] | None = None
    """What is added for each input; 0 for the limited ones. None if values do not depend on the other inputs."""


def replacement_of(
    removal: str, x: Float[Tensor, " row *input"], is_limited: Bool[Tensor, " *input"], columns: Columns | None
) -> Replacement:
    """What stands in place of the limited inputs.

    Args:
        removal: "expected", the linear prediction from the other inputs; "average", the values of up to 64 of the rows,
            over which the output is averaged; "mean", the mean of the rows; "baseline", as in explanations 0, or 1/k in
            each column of a category.
        x: the rows to learn from.

    Raises:
        RecipeError: an unknown removal, nothing limited, or everything.
        DataError: too few rows for "expected".
    """
    if removal not in REMOVALS:
        raise RecipeError(unknown("removal", removal, REMOVALS))
    limited = is_limited.flatten()
    if not bool(limited.any()) or bool(limited.all()):
        raise RecipeError(f"{int(limited.sum())} of {len(limited)} inputs are limited; expected some, and not all")
    rows = x.detach().cpu().double().flatten(1)
    one = torch.ones(1, dtype=torch.long)
    if removal == "expected":
        return _expected(rows, limited)
    if removal == "average":
        values, repeats = _spread(rows[:, limited]).unique(dim=0, return_counts=True)
        return Replacement(values, repeats)
    if removal == "mean":
        return Replacement(rows[:, limited].mean(dim=0, keepdim=True), one)
    return Replacement(neutral_row(x, columns).cpu().double().flatten()[limited][None], one)


def _expected(rows: Float[Tensor, " row input"], limited: Bool[Tensor, " input"]) -> Replacement:
    """The least-squares prediction; of several that fit as well, as with one-hot columns, the smallest slopes."""
    others = int((~limited).sum())
    if len(rows) < ROWS_PER_INPUT * others:
        raise DataError(
            f"{len(rows)} rows are too few to predict the limited inputs from {others} others; expected at least "
            f"{ROWS_PER_INPUT * others}: give more rows, or removal='average'"
        )
    mean = rows.mean(dim=0)
    centred = rows - mean
    found = torch.linalg.lstsq(centred[:, ~limited], centred[:, limited], driver="gelsd").solution.T
    slope = rows.new_zeros(int(limited.sum()), rows.shape[1])
    slope[:, ~limited] = found
    return Replacement((mean[limited] - slope @ mean)[None], torch.ones(1, dtype=torch.long), slope)


def _spread(values: Float[Tensor, " row limited"]) -> Float[Tensor, " some limited"]:
    """Rows evenly spaced in the sorted order, so that each value occurs as often as in all rows, up to rounding."""
    if len(values) <= NUM_VALUES:
        return values
    order = torch.arange(len(values))
    for column in reversed(values.unbind(dim=1)):
        order = order[column[order].argsort(stable=True)]
    places = (torch.arange(NUM_VALUES) + 0.5) * len(values) / NUM_VALUES
    return values[order[places.long()]]
