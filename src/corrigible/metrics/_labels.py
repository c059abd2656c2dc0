"""What labels must be for a metric to mean anything: one class per row, several labels, amounts, or an order."""

from collections.abc import Callable
from typing import NamedTuple

from corrigible.types import Task


class Labels(NamedTuple):
    """A kind of label."""

    words: str
    """What a metric needs, for people to read."""
    suits: Callable[[Task], bool]
    """Whether the labels and predictions of a task are of this kind."""


def _are_classes(task: Task) -> bool:
    return task.logits is not None


def _are_ordered(task: Task) -> bool:
    return task.name == "ordered_classes"


def _are_several(task: Task) -> bool:
    return task.name == "several_labels"


def _are_amounts(task: Task) -> bool:
    """Amounts, whether they are predicted or only ranked."""
    return not _are_classes(task) and not _are_several(task)


def _are_predicted_amounts(task: Task) -> bool:
    return _are_amounts(task) and task.name != "ranking"


ONE_CLASS = Labels("predicted classes", _are_classes)
LIKELIEST_CLASS = Labels(
    "predicted classes that have no order",
    lambda task: _are_classes(task) and not _are_ordered(task),
)
"""Ordered classes are predicted by the median, which need not be the likeliest."""
ORDERED_CLASSES = Labels("classes that have an order", _are_ordered)
SEVERAL_LABELS = Labels("several labels per row", _are_several)
PREDICTED_AMOUNTS = Labels("predicted amounts", _are_predicted_amounts)
NUMBERS = Labels("predicted numbers", lambda task: _are_predicted_amounts(task) or _are_ordered(task))
AMOUNTS = Labels("labels that are amounts", _are_amounts)
ORDER = Labels("labels that have an order", lambda task: _are_amounts(task) or _are_ordered(task))
ANY = Labels("any labels", lambda task: True)
