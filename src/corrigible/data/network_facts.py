"""Facts about a data set that a network is built by."""

import math
from typing import Any

from corrigible.data.dataset import Dataset, all_labels, class_names_of, require_different, shape_of, task_of
from corrigible.types import Task


def model_facts(data: Dataset) -> dict[str, Any]:
    """Facts about the data by name; a model's function gets those that its arguments name.

    ``num_classes`` is the number of the model's outputs; ``centre`` and ``scale`` are only given where these should not
    begin around 0.
    """
    task = task_of(data)
    require_different(data)
    shape = shape_of(data)
    sizes = {"channels": shape[0], "inputs": math.prod(shape), "columns": shape[-1], "dimension": shape[-1]}
    if task.name == "classes":
        return {**sizes, "num_classes": max(len(class_names_of(data)), int(all_labels(data).max()) + 1)}
    return {**sizes, "num_classes": task.num_outputs, **_start(task)}


def _start(task: Task) -> dict[str, Any]:
    """The centre and scale of a fresh network's outputs, if they are not 0 and 1."""
    centre, scale = task.start
    if not any(centre) and set(scale) <= {1.0}:
        return {}
    if len(centre) == 1:
        return {"centre": centre[0], "scale": scale[0]}
    return {"centre": list(centre), "scale": list(scale)}
