"""The nearest row of data with another answer: a change that leads to where somebody really is."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from corrigible.data.arrays import index_of
from corrigible.data.table_encoder import TableEncoder
from corrigible.errors import DataError
from corrigible.explanations.counterfactuals.asking import Asking
from corrigible.explanations.counterfactuals.constraints import Causal, Constraint
from corrigible.explanations.counterfactuals.preparing import asked
from corrigible.explanations.counterfactuals.result import Counterfactuals
from corrigible.explanations.counterfactuals.schema import Schema
from corrigible.explanations.counterfactuals.verified import verified
from corrigible.tasks import TaskChoice
from corrigible.types import Columns


def nearest_unlike(
    model: Callable[[Tensor], Any],
    x: Any,
    rows: Any,
    *,
    schema: Columns | TableEncoder | Schema,
    constraints: Sequence[Constraint] = (),
    target: Any = None,
    below: float | int | None = None,
    above: float | int | None = None,
    task: TaskChoice | None = None,
    class_names: Sequence[str] = (),
    rows_at_once: int | None = None,
    seed: int = 0,
) -> Counterfactuals:
    """For each row the nearest of ``rows`` that has the wanted answer and to which the constraints allow to change.

    Nothing is searched, and no gradient is needed: all rows are compared. Cells that are empty in one of the two rows
    alone rule it out. Effects (`Causal`) are not followed: the row is one as it came about.

    Args:
        rows: the rows to choose from, encoded as x.
        x, schema, constraints, target, below, above, task, class_names, rows_at_once, seed: see `counterfactuals`.

    Raises:
        RecipeError, DataError, UnsupportedModelError: see `counterfactuals`.
    """
    if rows is None:
        raise DataError("rows is None; expected rows of data, encoded as x")
    kept = [one for one in constraints if not isinstance(one, Causal)]
    with asked(
        model,
        x,
        schema=schema,
        constraints=kept,
        rows=rows,
        wanted={"target": target, "below": below, "above": above},
        task=task,
        quantile=0.5,
        is_bounded=False,
        rows_at_once=rows_at_once,
        seed=seed,
        most_rows=len(rows),
        class_names=class_names,
    ) as (asking, _, already, data, names):
        assert data is not None
        found = np.full((len(asking.x), 1, data.values.shape[1]), np.nan)
        for row in np.flatnonzero(~already).tolist():
            answers = asking.wish.is_wanted(data.outputs, row).numpy()
            found[row, 0] = _nearest(asking, row, data.values[answers])
        why = "none of the rows of data that have the wanted answer obeys the constraints"
        return replace(verified(asking, found, already, names, why=why), index=index_of(x))


def _nearest(asking: Asking, row: int, values: Float[np.ndarray, " some feature"]) -> Float[np.ndarray, " feature"]:
    """The nearest of the values that may be changed to; NaN where there is none."""
    space = asking.space
    values = values[(np.isnan(values) == np.isnan(space.before[row])).all(axis=1)]
    rows = np.full(len(values), row)
    values = values[space.feasible(values, rows)]
    if not len(values):
        return np.full(values.shape[1], np.nan)
    return np.asarray(values[space.cost(values, rows[: len(values)]).argmin()])
