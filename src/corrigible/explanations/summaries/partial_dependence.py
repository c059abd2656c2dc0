"""Friedman 2001, Greedy function approximation: a gradient boosting machine, section 8.2: partial dependence.

The line of every single row is its individual conditional expectation: Goldstein et al. 2015, Peeking inside the black
box, section 3.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from corrigible.data.original_units import Units, units_in
from corrigible.explanations.inputs import checked_rows
from corrigible.explanations.question import Target, answers_to, asked_of
from corrigible.explanations.summaries.grid import Grid, grid_of, named_columns_of
from corrigible.models.forward import Score
from corrigible.tasks import TaskChoice
from corrigible.types import Columns


@dataclass(frozen=True, eq=False)
class PartialDependence:
    """The score as a function of one feature's value."""

    grid: Grid
    """The feature's values, and where the data lie among them."""
    lines: Float[Tensor, " row point"]
    """Each row's score with its feature set to each value."""

    @property
    def mean(self) -> Float[Tensor, " point"]:
        """The mean over all rows: the partial dependence."""
        return self.lines.mean(dim=0)


def partial_dependence(
    model: Callable[[Tensor], Any],
    x: Any,
    feature: str | int,
    *,
    target: Target | None = None,
    score: str | Score | None = None,
    task: TaskChoice | None = None,
    points: int = 20,
    columns: Columns | None = None,
    units: Units | None = None,
    rows_at_once: int | None = None,
) -> PartialDependence:
    """How the score depends on a feature's value, with all other features as they are in each row.

    If features depend on each other, it also covers impossible rows: compare the grid's ``observed`` values.

    Args:
        model: a network, or any function of the rows that gives scores.
        x: rows of a table, (row, column), as the model takes them; a tensor or array.
        feature: its name, or the position of a column.
        target: the class, or two of them for the first rather than the second; or for other tasks the number of the
            output. None for class 1 of two, or for what the task explains by default.
        score, task: as in `explain`; None for the task's own score.
        points: quantiles of a feature of numbers; a category has a point for each of its values.
        columns: which columns make up which feature.
        units: for a grid in original units, where ``columns`` do not know them.

    Raises:
        DataError: x, feature, target, columns or units that do not fit.
        RecipeError: an unknown score, or fewer than 2 points.
    """
    rows = checked_rows(x, columns)
    columns = named_columns_of(rows, columns, units)
    grid = grid_of(rows, feature, columns, units or units_in(columns), points=points)
    count = len(grid.points)
    outputs = answers_to(
        model,
        lambda place: grid.put(rows[place.to(rows.device) // count], place % count),
        len(rows) * count,
        rows_at_once=rows_at_once,
    )
    asked = asked_of(outputs, target, score=score, task=task)
    return PartialDependence(grid, asked.of(outputs).view(len(rows), count))
