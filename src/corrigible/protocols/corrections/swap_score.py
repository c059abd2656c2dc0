"""The swap score: how well a model predicts when the inputs that must not matter hold other rows' values.

It may choose the weight of a penalty. Accuracy may not: on confounded rows it prefers the fooled model, and the user
has no rows without the confounder.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.batches import collate
from corrigible.data.dataset import all_labels, task_of
from corrigible.data.protocol import Dataset, extra_of
from corrigible.data.swapping import draw_donors, lent, swapped
from corrigible.errors import DataError
from corrigible.feedback.masks import Marks
from corrigible.models.forward import Forward
from corrigible.models.modes import device_of, evaluating
from corrigible.types import Batch

MOST_AT_ONCE = 256
"""Most swapped rows that pass through the model together."""


def swap_score(
    model: nn.Module, dataset: Dataset, marks: Marks, rows: Tensor, *, num_donors: int = 50, seed: int = 0
) -> float:
    """Mean log-likelihood of the label when marked inputs hold other rows' values; higher is better.

    Args:
        rows: positions of the rows to score, each with something marked.
        num_donors: how many other rows lend their values to each.

    Raises:
        DataError: rows of a ranking of which no two can be compared.
    """
    found = swap_log_likelihoods(model, dataset, marks, rows, num_donors=num_donors, seed=seed)
    if bool(found.isnan().all()):
        raise DataError("no two of the rows to score are of the same query with different labels; give more rows")
    return float(found.nanmean())


def swap_log_likelihoods(
    model: nn.Module, dataset: Dataset, marks: Marks, rows: Tensor, *, num_donors: int = 50, seed: int = 0
) -> Float[Tensor, " row"]:
    """Each row's term of `swap_score`: the mean log-likelihood of its label over its donors.

    NaN for a row of a ranking that no other of these rows can be compared with.
    """
    parts, task = [], task_of(dataset)
    with evaluating(model), torch.no_grad():
        for batch in swapped_batches(dataset, marks, rows, num_donors=num_donors, seed=seed):
            parts.append(Forward(model, batch.to(device_of(model)), track_input=False).outputs.cpu())
    outputs = torch.cat(parts).unflatten(0, (len(rows), -1))
    y, extra = all_labels(dataset)[rows], {name: values.cpu()[rows] for name, values in extra_of(dataset).items()}
    # One donor after the other, because in a ranking a row's loss is about the others.
    losses = [task.loss(outputs[:, donor], y, extra).double() for donor in range(outputs.shape[1])]
    found = -torch.stack(losses, dim=1).mean(dim=1)
    return found.masked_fill(task.quality(outputs[:, 0], y, extra).isnan(), torch.nan)


def swapped_batches(dataset: Dataset, marks: Marks, rows: Tensor, *, num_donors: int, seed: int) -> Iterator[Batch]:
    """The rows with their marked inputs replaced, once per donor, a few rows at a time."""
    lending = collate(dataset, draw_donors(len(dataset), num_donors, seed), marks)
    assert lending.irrelevant is not None
    donors = lent(lending.x, lending.irrelevant)
    for index in rows.split(max(1, MOST_AT_ONCE // len(donors))):
        batch = collate(dataset, index, marks)
        assert batch.irrelevant is not None
        x = swapped(batch.x, batch.irrelevant, donors).flatten(0, 1)
        index, y, *extra = (
            values.repeat_interleave(len(donors), dim=0) for values in (index, batch.y, *batch.extra.values())
        )
        repeated = dict(zip(batch.extra, extra, strict=True))
        yield Batch(index, x, y, extra=repeated, columns=batch.columns, task=batch.task)
