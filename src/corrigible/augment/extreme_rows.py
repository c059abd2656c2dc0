"""Training on numbers far outside the usual range, so that one wrong cell does not carry the prediction away.

As outlier exposure (Hendrycks, Mazeika and Dietterich 2019, Deep anomaly detection with outlier exposure), but with the
row's own label in place of a flat one: its other columns still tell it.
"""

import math
from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from corrigible.batches import joined_batches
from corrigible.declarations import declared
from corrigible.errors import DataError, RecipeError
from corrigible.types import Batch


@declared(kind="augmentation", rows="labelled")
def extreme_rows(
    model: nn.Module,
    batch: Batch,
    generator: torch.Generator,
    *,
    times: float = 1000.0,
    numbers: int = 1,
    rows: Literal["both", "extreme"] = "both",
) -> Batch:
    """The batch with some numbers of each row far outside the range; ``both`` puts the original rows before them.

    Each is the largest size of its column in the batch, times a factor from 1 to ``times`` whose logarithm is uniform,
    with a random sign. Categories and marks of empty cells stay, and so does the label. A network of ReLUs is not
    bounded by this for numbers that are larger still: `row_checks` flags those.

    Args:
        times: how many times the largest size a number may be.
        numbers: how many numbers of each row are set; all where there are fewer.

    Raises:
        RecipeError: a factor below 1, or no numbers.
        DataError: rows that are not those of a table, or have no column of numbers.
    """
    if not 1 <= times < math.inf or numbers < 1:
        raise RecipeError(f"times is {times} and numbers {numbers}; expected both to be at least 1")
    free = _numbers_in(batch)
    num_rows, count = len(batch.x), int(free.sum())
    if not count:
        raise DataError("no column holds numbers; expected at least one")
    draws = torch.rand((3, num_rows, count), generator=generator, device=generator.device).to(batch.x)
    chosen = draws[0].argsort(dim=1).argsort(dim=1) < numbers
    size = batch.x[:, free].abs().amax(dim=0) * times ** draws[1]
    extremes = torch.where(draws[2] < 0.5, -size, size)
    x = batch.x.clone()
    x[:, free] = torch.where(chosen, extremes, batch.x[:, free])
    changed = replace(batch, x=x)
    return changed if rows == "extreme" else joined_batches([batch, changed])


def _numbers_in(batch: Batch) -> Bool[Tensor, " column"]:
    """The columns that hold numbers: all where the batch does not say what its columns are."""
    if batch.x.ndim != 2:
        raise DataError(f"the rows have shape {tuple(batch.x.shape)}; expected those of a table, (row, column)")
    if batch.columns is None:
        return torch.ones(batch.x.shape[1], dtype=torch.bool)
    named = zip(batch.columns.names, batch.columns.feature, batch.columns.one_hot, strict=True)
    return torch.tensor([name == feature and not one_hot for name, feature, one_hot in named])
