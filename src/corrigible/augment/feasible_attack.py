"""Simonetto et al. 2024, constrained adaptive attack: effective adversarial attack against deep neural networks for
tabular data (CAA).

Rows of a table are attacked by changes that an applicant could make: first along the gradient, and what withstands that
by a search. What may change is said as for `counterfactuals`, and costs the same.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.arguments import whole_number
from corrigible.augment.feasible.evolving import evolve
from corrigible.augment.feasible.following import follow
from corrigible.augment.feasible.repairing import SLACK
from corrigible.augment.feasible.standing import Standing, standing
from corrigible.data.table_encoder import TableEncoder
from corrigible.errors import RecipeError
from corrigible.explanations.counterfactuals.constraints import Constraint
from corrigible.explanations.counterfactuals.schema import Schema
from corrigible.tasks import TaskChoice
from corrigible.types import Columns

OF_GRADIENT = 0.75
"""The share of the calls that the gradient may spend, where a search follows."""


def feasible_attack(
    model: Callable[[Tensor], Any],
    x: Any,
    y: Any,
    *,
    schema: Columns | TableEncoder | Schema,
    constraints: Sequence[Constraint] = (),
    epsilon: float = 1.0,
    budget: int = 200,
    search: Literal["both", "gradient", "random"] = "both",
    starts: int = 2,
    target: Any = None,
    rows: Any = None,
    task: TaskChoice | None = None,
    rows_at_once: int | None = None,
    seed: int = 0,
) -> Float[Tensor, " row column"]:
    """The rows of a table after the change, of those that are allowed, that speaks most against their label.

    Every row that comes back was given to the model in its final form: whole numbers are whole, one level of a category
    is held, empty cells stay empty, numbers stay within the range that the schema knows. It obeys every constraint,
    checked in original units, and costs at most ``epsilon``. A row whose prediction is wrong already stays as it is,
    and so does one for which nothing worse was found. The model stays as it is.

    Args:
        y: the class of each row, by its number.
        schema: what the columns are; of `Columns` or an encoder, kinds and spreads are learned from ``rows``.
        constraints: as `counterfactuals` takes them.
        epsilon: the most that the changes of a row may cost together: of a number the change in units of the feature's
            median absolute deviation, of an ordered category the steps, of another one 1. See `Counterfactuals.cost`.
        budget: the most calls of the model for each row; a gradient counts as two.
        search: "gradient" (CAPGD), "random" for an evolutionary search, which needs no gradient, or "both": the
            gradient with three quarters of the budget, then the search for rows that withstand it.
        starts: of the gradient: from the row, and then from random changes of it.
        target: towards these classes instead of away from the labels.
        rows: training rows, from which a schema is learned, and what `Causal` changes follow.
        rows_at_once: how many rows the model runs on at once; None for what fits.
        seed: settles the random starts and the search.

    Raises:
        RecipeError: constraints that do not fit the table, an epsilon below 0, no budget.
        DataError: rows of another table, a class that the model does not have.
        UnsupportedModelError: a model that mixes rows, answers at random, or is not of classes.
        NoGradientError: the gradient is to be followed, and the model has none.
    """
    if isinstance(epsilon, bool) or not isinstance(epsilon, int | float) or not 0 <= epsilon < float("inf"):
        raise RecipeError(f"epsilon is {epsilon!r}; expected a cost of at least 0")
    if search not in ("both", "gradient", "random"):
        raise RecipeError(f"search is {search!r}; expected 'both', 'gradient' or 'random'")
    budget, starts = whole_number("budget", budget, least=1), whole_number("starts", starts, least=1)
    rng = np.random.default_rng(whole_number("seed", seed))
    asked: dict[str, Any] = {"schema": schema, "constraints": constraints, "rows": rows, "target": target, "task": task}
    asked |= {"epsilon": float(epsilon), "budget": budget, "rows_at_once": rows_at_once, "seed": seed}
    with standing(model, x, y, **asked) as found:
        if search != "random":
            follow(found, starts=starts, most=round(budget * (OF_GRADIENT if search == "both" else 1)), rng=rng)
        if search != "gradient":
            evolve(found, most=budget, rng=rng)
        return _verified(found).to(torch.as_tensor(x).device)


def _verified(standing: Standing) -> Float[Tensor, " row column"]:
    """The worst changes that hold in their final form, checked in original units; other rows as they were."""
    space, every = standing.space, np.arange(len(standing.margin))
    after = space.after(standing.worst, every)
    frames = [space.schema.frame_of(values) for values in (space.before, after, standing.worst)]
    holds = space.allowed.satisfied(*frames) & (space.cost(standing.worst, every) <= standing.epsilon + SLACK)
    changed = np.where(holds[:, None], standing.worst, space.before)
    return standing.asking.encoded(changed, every)
