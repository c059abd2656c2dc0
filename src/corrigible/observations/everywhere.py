"""Observations about every row: predictions, labels and what stands beside them."""

import logging
from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from corrigible.data.dataset import rows_of
from corrigible.data.protocol import extra_of
from corrigible.errors import DataError
from corrigible.models.readable import doubt_of, require_no_probabilities
from corrigible.observations.rows import Rows, precise
from corrigible.progress import counted
from corrigible.tasks.classes import known_classes
from corrigible.types import Task

log = logging.getLogger(__name__)


def on_every_row(rows: Rows, names: Collection[str]) -> dict[str, Tensor]:
    """What the task observes, the labels and groups, and of what stands beside them that which these names ask for.

    Raises:
        DataError: predictions that are not finite, or a label that the model has no class for.
    """
    outputs, y, group = [], [], []
    for index in counted("predictions: batch", torch.arange(len(rows.dataset)).split(rows.batch_size)):
        part = rows_of(rows.dataset, index)
        outputs.append(rows.outputs(part.x))
        y.append(precise(part.y))
        group += [] if part.group is None else [part.group.cpu()]
    labels, found = torch.cat(y), rows.task.observed(torch.cat(outputs))
    require_no_probabilities(torch.cat(outputs), rows.task)
    _check(found, labels, rows.task)
    if doubt := doubt_of(torch.cat(outputs), labels, extra_of(rows.dataset), rows.task):
        log.warning(doubt)
    asked = _beside(rows, torch.cat(outputs), labels, names)
    return {**found, "y": labels, **({"group": torch.cat(group)} if group else {}), **asked}


def _beside(rows: Rows, outputs: Tensor, y: Tensor, names: Collection[str]) -> dict[str, Tensor]:
    extra = {name: precise(values) for name, values in extra_of(rows.dataset).items()}
    found = {}
    if "exposure" in names:
        ones = torch.ones(len(y), dtype=torch.float64)
        found["exposure"] = extra.get("exposure", ones).double() if "exposure" in rows.task.extra else ones
    if "query" in names:
        found["query"] = extra.get("query", torch.zeros(len(y), dtype=torch.long))
    if "loss" in names:
        # Of all rows at once, because in a ranking each row's loss is about the others.
        found["loss"] = rows.task.loss(outputs, y, extra)
    return found


def _check(observed: Mapping[str, Tensor], y: Tensor, task: Task) -> None:
    for name, what in (("probs", "probabilities are NaN"), ("predicted", "predictions are NaN or infinite")):
        if name not in observed:
            continue
        bad = (~observed[name].isfinite().view(len(y), -1).all(dim=1)).nonzero().flatten()
        if len(bad):
            raise DataError(f"the model's {what} on row {int(bad[0])} ({len(bad)} such rows); train it again")
    if task.logits is None:
        return
    num_classes = observed["probs"].shape[1]
    bad = ((y < 0) | (y >= num_classes)).nonzero().flatten()
    if len(bad):
        row = int(bad[0])
        raise DataError(f"row {row} has label {int(y[row])}; {known_classes(num_classes)}")
