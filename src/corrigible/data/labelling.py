"""The task of a study's rows: what was chosen for their labels, with the facts that the training labels define."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from corrigible.data.dataset import Labelled, TensorData, as_dataset, from_arrays, labelled, labels_as_given, task_of
from corrigible.data.protocol import Dataset, class_names_of, extra_of
from corrigible.errors import DataError, RecipeError
from corrigible.tasks import TaskChoice, named_with_settings, task_named
from corrigible.types import Task


def labelled_as(load: Callable[[str], Any], split: str, chosen: Mapping[str, Any] | None) -> Dataset:
    """The rows of a split with their labels in memory, read by the task that the training labels define.

    Args:
        load: split -> rows, with a task of their own or without one.
        chosen: the task for rows without one; None for classes.

    Raises:
        RecipeError: the rows have another task than the chosen one.
        DataError: labels that do not fit the task.
    """
    rows = _read(load(split), chosen, split)
    if split == "train" or task_of(rows).name == "classes":
        return rows
    try:
        return as_dataset(rows, task=task_of(_read(load("train"), chosen, "train")))
    except DataError as error:
        raise DataError(f"split {split!r}: {error}") from error


def name_of_task(chosen: TaskChoice) -> str:
    """The name of a task, however it is given."""
    if isinstance(chosen, Task):
        return chosen.name
    return named_with_settings(chosen)[0]


def require_ordered(class_names: Sequence[str]) -> None:
    """Raises DataError if the order of the classes does not follow from their names."""
    leading = [re.match(r"-?\d+", name) for name in class_names]
    order = [int(found[0]) for found in leading if found]
    if len(order) < len(class_names) or any(first >= second for first, second in pairwise(order)):
        raise DataError(
            f"the classes are {', '.join(class_names)}, whose order does not follow from their names; number them: "
            "0, 1, 2, or names such as '1 mild', '2 severe'"
        )


def _read(given: Any, chosen: Mapping[str, Any] | None, split: str) -> Dataset:
    try:
        return _labelled(given, chosen)
    except DataError as error:
        raise DataError(f"split {split!r}: {error}") from error


def _labelled(given: Any, chosen: Mapping[str, Any] | None) -> Dataset:
    own = name_of_task(getattr(given, "task", "classes"))
    if own != "classes" and chosen is not None and dict(chosen) != {"name": own}:
        raise RecipeError(
            f"[task] says {dict(chosen)}, but the rows of the data source have the task {own!r} already; leave out "
            "[task], or let the source give rows without a task"
        )
    if own == "classes" and chosen is not None and chosen["name"] != "classes":
        given = _meant(given, chosen)
    found = labelled(as_dataset(given))
    if task_of(found).name == "ordered_classes" and class_names_of(found):
        require_ordered(class_names_of(found))
    return found


def _meant(given: Any, chosen: Mapping[str, Any]) -> Any:
    """Rows without a task of their own, with the chosen one."""
    if isinstance(given, tuple) and len(given) in (2, 3):
        return from_arrays(given, chosen)
    if isinstance(given, TensorData):
        return replace(given, task=chosen)
    if not (hasattr(given, "__len__") and hasattr(given, "__getitem__")):
        return given  # To be refused as data of any task is.
    y = labels_as_given(given)
    task = task_named(chosen, y, extra_of(given))
    return Labelled(given, task.check(y).cpu(), task)
