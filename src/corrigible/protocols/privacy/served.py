"""What is given out about each row beside its prediction, as functions (model, rows) -> (row, number).

An attack takes such functions to see how much more they reveal. Any function of this form will do.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.data.dataset import TensorData, task_of
from corrigible.data.table_encoder import TableEncoder
from corrigible.errors import DataError, RecipeError
from corrigible.explanations.counterfactuals.constraints import Constraint
from corrigible.explanations.counterfactuals.finding import counterfactuals
from corrigible.explanations.counterfactuals.schema import Schema
from corrigible.explanations.explaining import explain
from corrigible.models.predictive import all_outputs
from corrigible.types import Columns

Served = Callable[[nn.Module, TensorData], Float[Tensor, " row value"]]
MOST_DECIMALS = 15


def served_predictions(*, decimals: int | None = None) -> Served:
    """A function that gives each row's prediction: probabilities of classes, or numbers in the unit of the labels.

    Args:
        decimals: to how many they are rounded; None for all that there are.
    """

    def found(model: nn.Module, rows: TensorData) -> Tensor:
        task = task_of(rows)
        return rounded(task.values(all_outputs(model, rows.x, task=task).double()), decimals)

    return found


def served_attributions(
    method: Any = "integrated_gradients", *, decimals: int | None = None, **settings: Any
) -> Served:
    """A function that gives each row's attribution of what is predicted, one number per input.

    Args:
        method, settings: as `explain` takes them.
        decimals: to how many the attributions are rounded; None for all that there are.
    """

    def found(model: nn.Module, rows: TensorData) -> Tensor:
        how = {"task": task_of(rows), "columns": rows.columns, **settings}
        return rounded(explain(model, rows.x, method=method, **how).detach().cpu().double().flatten(1), decimals)

    return found


def served_counterfactuals(
    schema: Columns | TableEncoder | Schema,
    *,
    rows: Any = None,
    constraints: Sequence[Constraint] = (),
    cost_only: bool = False,
    **settings: Any,
) -> Served:
    """A function that gives each row's nearest counterfactual: what it costs, and the changes of the encoded row.

    NaN where none was found.

    Args:
        schema, rows, constraints, settings: as `counterfactuals` takes them.
        cost_only: whether the cost alone is given out.
    """

    def found(model: nn.Module, about: TensorData) -> Tensor:
        how = {"schema": schema, "rows": rows, "constraints": constraints, "task": task_of(about), **settings}
        changes = counterfactuals(model, about.x, **how)
        cost = changes.cost[:, :1].double()
        return cost if cost_only else torch.cat([cost, (changes.changed[:, 0] - changes.x).double()], dim=1)

    return found


def functions_served(served: Any) -> Mapping[str, Served]:
    """The functions by name.

    Raises:
        RecipeError: something else.
    """
    if not isinstance(served, Mapping) or not all(callable(one) for one in served.values()):
        raise RecipeError(
            f"served is {served!r}; expected functions by name, {{'attributions': served_attributions()}}"
        )
    return served


def rounded(values: Float[Tensor, " row value"], decimals: int | None) -> Float[Tensor, " row value"]:
    """The values with so many decimals; as they are for None."""
    if decimals is None:
        return values
    return values.round(decimals=whole_number("decimals", decimals, 0, MOST_DECIMALS))


def served_by(name: str, served: Served, model: nn.Module, rows: TensorData) -> Float[Tensor, " row value"]:
    """What is given out about each row, checked; NaN where there is nothing for a row.

    Raises:
        DataError: something else than numbers for each row.
    """
    found = served(model, rows)
    if not isinstance(found, Tensor) or found.ndim != 2 or len(found) != len(rows) or not found.shape[1]:
        said = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
        raise DataError(f"what is served as {name!r} is {said}; expected numbers for each row, ({len(rows)}, …)")
    values = found.detach().cpu().double()
    return values.masked_fill(values.isinf(), torch.nan)
