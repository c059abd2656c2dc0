"""Observations of predictions when irrelevant inputs hold other values."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from corrigible.batches import collate
from corrigible.data.dataset import rows_of
from corrigible.data.protocol import Dataset
from corrigible.data.swapping import draw_donors, lent, swapped
from corrigible.models.modes import device_of
from corrigible.observations.observed import OBSERVATIONS
from corrigible.observations.rows import Rows, precise
from corrigible.types import Task

BY_SWAPPING = {"flipped", "swapped_hits", "shift", "swapped_loss"}


class _Swapped(NamedTuple):
    """What a model gives for some rows before and after their irrelevant inputs hold each donor's values."""

    before: Float[Tensor, " row output"]
    after: Float[Tensor, " row donor output"]
    differs: Bool[Tensor, " row donor"]
    """Whether the donor holds any other value there."""
    y: Tensor
    extra: Mapping[str, Tensor]


def swaps(rows: Rows, names: Collection[str], num_donors: int, seed: int) -> dict[str, Tensor]:
    """Of these names those that compare predictions before and after irrelevant inputs hold other rows' values."""
    wanted = {name for name in BY_SWAPPING & set(names) if rows.task.logits or not OBSERVATIONS[name].of_tasks}
    if not wanted:
        return {}
    pieces = _swapped(rows, num_donors, seed)
    if "swapped_loss" in wanted and "query" in rows.task.extra:
        pieces = iter([_joined(list(pieces))])
    found = [_compared(rows.task, piece, wanted) for piece in pieces]
    return {name: torch.cat([part[name] for part in found]) for name in sorted(wanted)}


def _swapped(rows: Rows, num_donors: int, seed: int) -> Iterator[_Swapped]:
    """The rows in their order, as many at once as the model may run on with all donors."""
    lending = collate(rows.dataset, draw_donors(len(rows.dataset), num_donors, seed), rows.marks)
    lending = lending.to(device_of(rows.model))
    assert lending.irrelevant is not None
    donors = lent(lending.x, lending.irrelevant)
    rows_at_once = max(1, rows.batch_size // len(donors))
    for batch in rows.batches():
        assert batch.irrelevant is not None
        extra = {name: precise(values) for name, values in batch.extra.items()}
        parts = (
            values.split(rows_at_once) for values in (batch.x, batch.irrelevant, precise(batch.y), *extra.values())
        )
        for x, irrelevant, y, *beside in zip(*parts, strict=True):
            # A copy: a model that works in place would change x.
            before = rows.outputs(x.clone())
            changed = swapped(x, irrelevant, donors)
            differs = (changed != x[:, None]).flatten(2).any(dim=2).cpu()
            after = rows.outputs(changed.flatten(0, 1)).view(len(x), len(donors), -1)
            yield _Swapped(before, after, differs, y, dict(zip(extra, beside, strict=True)))


def _joined(pieces: list[_Swapped]) -> _Swapped:
    before, after, differs, y = (torch.cat(list(parts)) for parts in list(zip(*pieces, strict=True))[:4])
    return _Swapped(
        before, after, differs, y, {name: torch.cat([p.extra[name] for p in pieces]) for name in pieces[0].extra}
    )


def _compared(task: Task, rows: _Swapped, wanted: Collection[str]) -> dict[str, Float[Tensor, " row"]]:
    """What is observed of each row, the mean over donors; NaN where no donor holds another value."""
    num_donors, after = rows.after.shape[1], rows.after.flatten(0, 1)

    def repeated(values: Tensor) -> Tensor:
        return values.repeat_interleave(num_donors, dim=0)

    found = {}
    if not {"flipped", "swapped_hits"}.isdisjoint(wanted):
        was, now = (task.observed(outputs)["predicted"] for outputs in (rows.before, after))
        found["flipped"], found["swapped_hits"] = now != repeated(was), now == repeated(rows.y)
    if "shift" in wanted:
        found["shift"] = task.moved(after, repeated(rows.before))
    if "swapped_loss" in wanted and "query" in task.extra:
        losses = [task.loss(outputs, rows.y, rows.extra) for outputs in rows.after.unbind(dim=1)]
        found["swapped_loss"] = torch.stack(losses, dim=1)
    elif "swapped_loss" in wanted:
        extra = {name: repeated(values) for name, values in rows.extra.items()}
        found["swapped_loss"] = task.loss(after, repeated(rows.y), extra)
    means = {name: found[name].double().view(-1, num_donors).mean(dim=1) for name in wanted}
    return {name: mean.where(rows.differs.any(dim=1), torch.nan) for name, mean in means.items()}


def reflected_probs(rows: Rows) -> Float[Tensor, " row num_classes"]:
    """The probabilities when each irrelevant input is mirrored between its extremes; NaN where that changes nothing."""
    ends = _low_plus_high(rows.dataset, rows.batch_size).to(device_of(rows.model))
    found = []
    for batch in rows.batches():
        assert batch.irrelevant is not None
        reflected = torch.where(batch.irrelevant, ends - batch.x, batch.x)
        # A model that works in place would change what is compared.
        differs = (reflected != batch.x).flatten(1).any(dim=1).cpu()
        probs = rows.task.observed(rows.outputs(reflected))["probs"]
        found.append(probs.where(differs[:, None], torch.nan))
    return torch.cat(found)


def _low_plus_high(dataset: Dataset, batch_size: int) -> Tensor:
    """Smallest plus largest value of each input over the data set."""
    parts = [rows_of(dataset, index).x for index in torch.arange(len(dataset)).split(batch_size)]
    return torch.stack([x.amin(0) for x in parts]).amin(0) + torch.stack([x.amax(0) for x in parts]).amax(0)
