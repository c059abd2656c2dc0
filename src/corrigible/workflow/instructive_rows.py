"""The rows from which most is learned about a model: wrong predictions, uncertain ones, and some of each class."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.data.dataset import all_labels, task_of
from corrigible.data.protocol import Dataset, extra_of
from corrigible.data.table import OF_CLASSES

WRONG = "Wrong predictions, the surest first"
MOST_WRONG, MOST_UNSURE, MOST_USUAL = 12, 6, 12
"""Most rows of each kind that are shown."""


class Instructive(NamedTuple):
    """Rows that are shown for the same reason, and how many such rows there are."""

    title: str
    rows: tuple[int, ...]
    num_rows: int


def instructive_rows(outputs: Float[Tensor, " row output"], data: Dataset) -> list[Instructive]:
    """At most a few dozen rows, the most instructive first; kinds of which there are none are left out.

    Of classes and several labels: wrong predictions, the surest first; right ones, the least sure first; and some of
    each class. Of numbers: the largest errors, and some rows from the lowest prediction to the highest.
    """
    task, y = task_of(data), all_labels(data)
    observed = task.observed(outputs)
    if task.name in OF_CLASSES:
        found = _of_classes(observed["probs"], observed["predicted"], y)
    elif task.name == "several_labels":
        is_wrong = (observed["predicted"] != y).any(dim=1)
        sure = (observed["probs"] - 0.5).abs().amin(dim=1)
        found = [*_told_apart(is_wrong, sure), Instructive("Some rows", *_spread_over((~is_wrong).nonzero().flatten()))]
    else:
        found = _of_numbers(outputs, observed["predicted"], data)
    return [kind for kind in found if kind.rows]


def _of_classes(probs: Tensor, predicted: Tensor, y: Tensor) -> list[Instructive]:
    is_wrong = predicted != y
    apart = _told_apart(is_wrong, probs.amax(dim=1))
    shown = {row for kind in apart for row in kind.rows}
    is_usual = ~is_wrong
    is_usual[list(shown)] = False
    labels = y[is_usual].unique().tolist()
    each = max(1, MOST_USUAL // max(len(labels), 1))
    rows = [
        row for label in labels[:MOST_USUAL] for row in _spread((is_usual & (y == label)).nonzero().flatten(), each)
    ]
    of = "each class" if len(labels) <= MOST_USUAL else f"{MOST_USUAL} of {len(labels)} classes"
    return [*apart, Instructive(f"Some right predictions of {of}", tuple(rows), int((~is_wrong).sum()))]


def _told_apart(is_wrong: Tensor, sure: Tensor) -> list[Instructive]:
    """Wrong predictions, the surest first, and right ones, the least sure first."""
    wrong = sure.masked_fill(~is_wrong, -1.0).argsort(descending=True, stable=True)[: int(is_wrong.sum())].tolist()
    right = sure.masked_fill(is_wrong, 2.0).argsort(stable=True)[: int((~is_wrong).sum())].tolist()
    return [
        Instructive(WRONG, tuple(wrong[:MOST_WRONG]), len(wrong)),
        Instructive("Right predictions, the least sure first", tuple(right[:MOST_UNSURE]), len(right)),
    ]


def _of_numbers(outputs: Tensor, predicted: Tensor, data: Dataset) -> list[Instructive]:
    task = task_of(data)
    worst: list[int] = []
    if task.name != "ranking":  # In which a row's loss is about the others of its query.
        extra = {name: values.cpu() for name, values in extra_of(data).items()}
        losses = task.loss(outputs, all_labels(data), extra)
        worst = losses.argsort(descending=True, stable=True)[:MOST_WRONG].tolist()
    order = predicted.argsort(stable=True)
    order = order[~torch.isin(order, torch.tensor(worst, dtype=torch.long))]
    return [
        Instructive("Largest errors", tuple(worst), len(outputs)),
        Instructive("From the lowest prediction to the highest", tuple(_spread(order, MOST_USUAL)), len(outputs)),
    ]


def _spread_over(rows: Int[Tensor, " row"]) -> tuple[tuple[int, ...], int]:
    return tuple(_spread(rows, MOST_USUAL)), len(rows)


def _spread(rows: Int[Tensor, " row"], most: int) -> list[int]:
    """So many of these rows, evenly spread."""
    return rows[torch.linspace(0, len(rows) - 1, min(most, len(rows))).round().long()].tolist() if len(rows) else []
