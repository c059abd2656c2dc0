"""Facts about a data set that a network is built by."""

import math
from collections.abc import Container
from typing import Any

import torch
from torch import Tensor

from corrigible.data.dataset import all_labels, require_different, rows_of, shape_of, task_of
from corrigible.data.protocol import Dataset, class_names_of, columns_of
from corrigible.types import Columns, Task

QUANTILES = 129
"""How many quantiles of a column become knots, of its rows and of its different values each."""
ROWS_FOR_KNOTS = 50_000


def model_facts(data: Dataset, wanted: Container[str] = ()) -> dict[str, Any]:
    """Facts about the data by name; a model's function gets those that its arguments name.

    ``num_classes`` is the number of the model's outputs; ``centre`` and ``scale`` are only given where these should not
    begin around 0; ``output_directions`` say of each output whether it rises or falls with the prediction. A table also
    has ``one_hot``, for each column whether it is one of a category, and ``features``, the name of the
    number or category in it, or its own where it marks missing numbers.

    Args:
        wanted: the names of the arguments; ``knots``, the quantiles of each column of numbers, are only found if they
            are among them.
    """
    task = task_of(data)
    require_different(data)
    shape = shape_of(data)
    sizes: dict[str, Any] = {"channels": shape[0], "inputs": math.prod(shape)}
    sizes |= {"columns": shape[-1], "dimension": shape[-1]}
    if "one_hot" in wanted or "knots" in wanted:
        sizes |= _of_columns(data, shape[-1])
    if task.name == "classes":
        num_classes = max(len(class_names_of(data)), int(all_labels(data).max()) + 1)
        return {**sizes, "num_classes": num_classes, "output_directions": [-1, 1] if num_classes == 2 else []}
    directions = [1] * task.num_outputs
    if task.name == "amounts":
        directions[1:] = [0] * len(directions[1:])  # The spread beside the mean.
    return {**sizes, "num_classes": task.num_outputs, "output_directions": directions, **_start(task)}


def _start(task: Task) -> dict[str, Any]:
    """The centre and scale of a fresh network's outputs, if they are not 0 and 1."""
    centre, scale = task.start
    if not any(centre) and set(scale) <= {1.0}:
        return {}
    if len(centre) == 1:
        return {"centre": centre[0], "scale": scale[0]}
    return {"centre": list(centre), "scale": list(scale)}


def _of_columns(data: Dataset, width: int) -> dict[str, Any]:
    """Which columns are of categories, and the quantiles of the others over the training rows."""
    columns = columns_of(data)
    one_hot = [False] * width if columns is None else list(columns.one_hot)
    few = torch.linspace(0, len(data) - 1, min(len(data), ROWS_FOR_KNOTS)).round().long()
    numbers = rows_of(data, few).x.reshape(len(few), width)[:, ~torch.tensor(one_hot)].double()
    features = [str(place) for place in range(width)] if columns is None else _features(columns)
    return {"one_hot": one_hot, "features": features, "knots": [_knots(column) for column in numbers.T]}


def _features(columns: Columns) -> list[str]:
    """The feature of each column; of a column that marks missing numbers its own name."""
    named = zip(columns.names, columns.feature, columns.one_hot, strict=True)
    return [feature if is_one_hot else name for name, feature, is_one_hot in named]


def _knots(column: Tensor) -> list[float]:
    """Quantiles over the rows, where most values lie, and over the different values, which reach into long tails.

    A column that is 0 in nearly all rows has no other quantile over its rows, and its few amounts may decide. There are
    at least two knots.
    """
    at, different = torch.linspace(0, 1, QUANTILES, dtype=torch.float64), column.unique()
    of_values = different if len(different) <= QUANTILES else different.quantile(at)
    found: list[float] = torch.cat([column.quantile(at), of_values]).float().unique().tolist()
    return found if len(found) > 1 else [found[0], found[0] + 1.0]
