"""What a corrected model relies on instead: regions whose exchange costs it more quality than before."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from corrigible.data.dataset import TensorData, rows_of, shape_of, task_of
from corrigible.data.protocol import Dataset, columns_of, tokens_of
from corrigible.data.swapping import some_rows
from corrigible.models.batch_size import rows_that_fit
from corrigible.models.modes import evaluating, like_parameters
from corrigible.models.predictive import predictive
from corrigible.progress import counted
from corrigible.regions.candidates import masks_of_parts, parts_of

NUM_ROWS, NUM_DONORS, NUM_CELLS, MOST = 200, 4, 4, 3
LEAST = 0.05
"""Least fall of the quality with a region exchanged, in comparison with before."""


@dataclass(frozen=True)
class Shift:
    """A region that matters more than before the correction."""

    region: str
    before: float
    """Quality of the uncorrected model with other rows' values in the region: the accuracy, or `Task.quality`."""
    after: float
    """The same for the corrected model."""
    measured: str = "accuracy"
    """What these are, in words."""


def shifts(
    before: nn.Module, after: nn.Module, dataset: Dataset, marked: Bool[Tensor, " *input"], *, seed: int = 0
) -> list[Shift]:
    """The regions outside of the marked inputs that matter more after the correction: at most three, largest first.

    Candidates are the cells and the border of images and the features of tables; there are none for other data. A
    region is listed if the quality with other rows' values in it is lower than before, and if exchanging it costs more
    than before, both by two standard errors and by 0.05. It may be what should tell the class, or another cue: a person
    must look.

    Rows without a quality, such as the only one of a query, do not count.

    Args:
        marked: True where an input was marked on any row.
    """
    shape = shape_of(dataset)
    if tokens_of(dataset) is not None or len(shape) not in (1, 3):
        return []
    rows = rows_of(dataset, some_rows(torch.arange(len(dataset)), NUM_ROWS, seed))
    generator = torch.Generator().manual_seed(seed)
    donors = torch.stack([torch.randperm(len(rows), generator=generator) for _ in range(NUM_DONORS)])
    found = []
    found_before, found_after = (_qualities(model, rows.x, rows) for model in (before, after))
    for name, mask in counted("regions compared: region", _regions(dataset, shape)):
        if bool((mask & marked).sum() * 2 > mask.sum()):
            continue
        x = torch.where(mask, rows.x[donors], rows.x).flatten(0, 1)
        was, now = (_qualities(model, x, rows) for model in (before, after))
        costs = (found_after - now) - (found_before - was)
        if _mean_above(was - now, LEAST) and _mean_above(costs, LEAST):
            found.append(Shift(name, float(was.nanmean()), float(now.nanmean()), task_of(rows).quality_name))
    return sorted(found, key=lambda shift: shift.after - shift.before)[:MOST]


def _mean_above(values: Float[Tensor, " row"], least: float) -> bool:
    """Whether the mean of the known values is above this number, and above two standard errors."""
    known = values[values.isfinite()]
    if len(known) < 2:
        return False
    error: float = float(known.std()) / len(known) ** 0.5
    return float(known.mean()) > max(least, 2 * error)


def _regions(dataset: Dataset, shape: tuple[int, ...]) -> list[tuple[str, Tensor]]:
    columns = columns_of(dataset)
    if len(shape) == 1:
        names = columns.features if columns is not None else tuple(f"column {i}" for i in range(shape[0]))
        return list(zip(names, masks_of_parts(parts_of(shape, columns)), strict=True))
    side = -(-max(shape[1:]) // NUM_CELLS)
    across = -(-shape[2] // side)
    cells = masks_of_parts(parts_of(shape, None, cell=side))
    named = [
        (f"rows {place // across * side} on, columns {place % across * side} on", mask)
        for place, mask in enumerate(cells)
    ]
    width = max(1, min(shape[1:]) // 14)
    border = torch.ones(shape, dtype=torch.bool)
    border[:, width:-width, width:-width] = False
    return [("the border of the image", border), *((f"the cell at {name}", mask) for name, mask in named)]


@torch.no_grad()
def _qualities(model: nn.Module, x: Tensor, rows: TensorData) -> Float[Tensor, " row"]:
    """The quality of each row, averaged over changed copies of all rows."""
    task = task_of(rows)
    with evaluating(model):
        size = rows_that_fit(model, like_parameters(x[:1], model))
        parts = (like_parameters(part, model) for part in x.split(size))
        outputs = torch.cat([predictive(model, part, task=task).outputs.cpu() for part in parts])
    copies = [task.quality(part, rows.y.cpu(), rows.extra) for part in outputs.split(len(rows))]
    return torch.stack(copies).double().mean(dim=0)
