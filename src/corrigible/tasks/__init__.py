"""Tasks: what a model's outputs and the labels mean. Each is a function of the labels that returns a `Task`."""

from collections.abc import Callable, Mapping
from typing import Any

from corrigible.errors import RecipeError, unknown
from corrigible.methods import with_settings
from corrigible.tasks._single_output import SINGLE_OUTPUT
from corrigible.tasks.amounts import amounts
from corrigible.tasks.classes import CLASSES, classes
from corrigible.tasks.counts import counts
from corrigible.tasks.ordered_classes import ordered_classes
from corrigible.tasks.positive_amounts import positive_amounts
from corrigible.tasks.quantiles import quantiles
from corrigible.tasks.ranking import ranking
from corrigible.tasks.several_labels import several_labels
from corrigible.types import Task

TASKS: dict[str, Callable[..., Task]] = {
    f.__name__: f
    for f in (classes, several_labels, amounts, counts, positive_amounts, quantiles, ordered_classes, ranking)
}
"""Every task by name: (y, *, settings) -> Task."""
TaskChoice = str | Mapping[str, Any] | Task
"""A task, its name, or {"name": …, setting: …}."""


def task_named(chosen: TaskChoice, y: Any) -> Task:
    """The task that was chosen, for these labels.

    Raises:
        RecipeError: an unknown task or setting.
        DataError: labels that do not fit the task.
    """
    if isinstance(chosen, Task):
        return chosen
    settings = {"name": chosen} if isinstance(chosen, str) else dict(chosen)
    name = settings.pop("name", None)
    if name not in TASKS:
        raise RecipeError(unknown("task", str(name), TASKS))
    found: Task = with_settings(TASKS[name], settings, f"task {name!r}")(y)
    return found


__all__ = ["CLASSES", "SINGLE_OUTPUT", "TASKS", "TaskChoice", "task_named"]
