"""The rows of an attack: members, which the model was trained on, and others, which are not among them."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from corrigible.data.dataset import TensorData, all_rows, as_dataset, rows_of, task_of
from corrigible.errors import DataError, UnsupportedModelError
from corrigible.models.modes import like_parameters
from corrigible.protocols.schedule import require_fit


class AttackedRows(NamedTuple):
    """Members and others in one data set, the members first."""

    data: TensorData
    num_members: int

    @property
    def num_others(self) -> int:
        return len(self.data) - self.num_members

    def apart(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Row-aligned values of the members, and of the others."""
        return scores[: self.num_members], scores[self.num_members :]


def attacked_rows(model: nn.Module, members: Any, others: Any) -> AttackedRows:
    """Both kinds of rows, checked, in memory.

    Raises:
        DataError: no rows, rows of different kinds, or a row that is on both sides.
        UnsupportedModelError: a model that does not fit the rows, or rows that are compared with each other.
    """
    known = all_rows(as_dataset(members))
    task = task_of(known)
    if "query" in task.extra:
        raise UnsupportedModelError("rows of a query are compared with each other, so none has a loss of its own")
    unknown = all_rows(as_dataset(others, task=task))
    if unknown.x.shape[1:] != known.x.shape[1:]:
        shapes = f"{tuple(unknown.x.shape[1:])}, members {tuple(known.x.shape[1:])}"
        raise DataError(f"others have inputs of shape {shapes}; expected the same kind of rows")
    if missing := set(known.extra) ^ set(unknown.extra):
        raise DataError(f"{', '.join(sorted(missing))} is given of one side alone; expected it of members and others")
    for rows in (known, unknown):
        require_fit(model, rows)
    _require_apart(model, known, unknown)
    extra = {name: torch.cat([values, unknown.extra[name]]) for name, values in known.extra.items()}
    x, y = torch.cat([known.x, unknown.x.to(known.x)]), torch.cat([known.y, unknown.y.to(known.y)])
    beside: dict[str, Any] = {
        "columns": known.columns,
        "extra": extra,
        "task": task,
        "weight": _weights(known, unknown),
    }
    return AttackedRows(TensorData(x, y, **beside), len(known))


def _weights(*parts: TensorData) -> Tensor | None:
    """What each row counts in training; 1 where only the other side has weights."""
    if all(part.weight is None for part in parts):
        return None
    return torch.cat([torch.ones(len(part)) if part.weight is None else part.weight.cpu().float() for part in parts])


def without_members(model: nn.Module, members: TensorData, others: TensorData) -> TensorData:
    """The others without rows that equal a member, as the model sees them."""
    known = set(_as_seen(model, members))
    kept = [place for place, row in enumerate(_as_seen(model, others)) if row not in known]
    return rows_of(others, torch.tensor(kept, dtype=torch.long))


def _require_apart(model: nn.Module, members: TensorData, others: TensorData) -> None:
    """Raises DataError if a row is on both sides, as the model sees it."""
    places = {row: place for place, row in enumerate(_as_seen(model, members))}
    twice = [(place, places[row]) for place, row in enumerate(_as_seen(model, others)) if row in places]
    if twice:
        raise DataError(
            f"{len(twice):,} of the {len(others):,} others are members too, the first is row {twice[0][0]} of the "
            f"others and row {twice[0][1]} of the members; expected rows that the model was not trained on: leave "
            "equal rows out on one side"
        )


def _as_seen(model: nn.Module, rows: TensorData) -> list[bytes]:
    """Each row's inputs, label and what stands beside it, as bytes."""
    parts = [like_parameters(rows.x, model), rows.y, *(rows.extra[name] for name in sorted(rows.extra))]
    columns = [part.detach().cpu().double().reshape(len(rows), -1).numpy() + 0.0 for part in parts]  # No minus zero.
    return [row.tobytes() for row in np.ascontiguousarray(np.concatenate(columns, axis=1))]
