"""Tasks: what a model's outputs and the labels mean. Each is a function of the labels that returns a `Task`."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from torch import Tensor

from corrigible.errors import DataError, RecipeError, unknown
from corrigible.methods import settings_of, with_settings
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
OF_ROWS = ("exposure", "query")
"""Settings that are not chosen but stand beside the labels."""
TaskChoice = str | Mapping[str, Any] | Task
"""A task, its name, or {"name": …, setting: …}."""


def task_named(chosen: TaskChoice, y: Tensor, extra: Mapping[str, Tensor] = MappingProxyType({})) -> Task:
    """The task that was chosen, for these labels and the tensors beside them.

    Raises:
        RecipeError: an unknown task or setting.
        DataError: no labels, or labels that do not fit the task.
    """
    if isinstance(chosen, Task):
        return chosen
    name, settings = named_with_settings(chosen)
    if not len(y):
        raise DataError("the data set has no rows; expected at least one")
    beside = {key: extra[key] for key in OF_ROWS if key in extra and key in settings_of(TASKS[name])}
    found: Task = TASKS[name](y, **settings, **beside)
    return found


def named_with_settings(chosen: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name of a chosen task and its settings, checked.

    Raises:
        RecipeError: an unknown task or setting, or a setting that is a column of the data.
    """
    if not isinstance(chosen, str | Mapping):
        raise RecipeError(f"task is {chosen!r}; expected a name, {{'name': …, setting: …}} or a Task")
    settings = {"name": chosen} if isinstance(chosen, str) else dict(chosen)
    name = settings.pop("name", None)
    if name is None:
        raise RecipeError(f"task is {chosen!r}; expected {{'name': …, setting: …}} with one of {', '.join(TASKS)}")
    if not isinstance(name, str) or name not in TASKS:
        raise RecipeError(unknown("task", str(name), TASKS))
    for key in OF_ROWS:
        if key in settings:
            raise RecipeError(f"task {name!r}: {key} has an entry for each row; give it in extra, or as a column")
    filled = with_settings(TASKS[name], settings, f"task {name!r}")
    return name, dict(filled.keywords)


__all__ = ["CLASSES", "SINGLE_OUTPUT", "TASKS", "TaskChoice", "named_with_settings", "task_named"]
