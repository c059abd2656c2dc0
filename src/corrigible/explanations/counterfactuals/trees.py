"""Counterfactuals of trees, forests and gradient boosting: exactly the cheapest change, with its proof.

Wachter, Mittelstadt and Russell 2018 ask for the nearest row with another answer, in units of each feature's median
absolute deviation. An ensemble answers alike wherever the same leaves are reached, so that it is enough to search
between its thresholds (Parmentier and Vidal 2021, Optimal counterfactual explanations in tree ensembles).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from corrigible.data.arrays import index_of, inputs
from corrigible.data.table_encoder import TableEncoder
from corrigible.errors import DataError, RecipeError
from corrigible.explanations.counterfactuals.allowed import Allowed, allowed_by
from corrigible.explanations.counterfactuals.constraints import Causal, Constraint
from corrigible.explanations.counterfactuals.relation import Relation
from corrigible.explanations.counterfactuals.schema import Schema, given_schema
from corrigible.explanations.counterfactuals.trees_examples import Examples
from corrigible.explanations.counterfactuals.trees_grid import grid_of
from corrigible.explanations.counterfactuals.trees_outcome import Outcome, outcome_of, refused
from corrigible.explanations.counterfactuals.trees_reading import leaves_of
from corrigible.explanations.counterfactuals.trees_result import TreeCounterfactuals
from corrigible.explanations.counterfactuals.trees_row import Row, Subject
from corrigible.explanations.counterfactuals.trees_wishes import Wanted, check_wish, wanted_of
from corrigible.explanations.features import check_columns
from corrigible.types import Columns

MOST_EXAMPLES = 5_000


def tree_counterfactuals(
    model: Any,
    x: Any,
    *,
    schema: Columns | TableEncoder | Schema,
    constraints: Sequence[Constraint] = (),
    target: Any = None,
    below: float | int | None = None,
    above: float | int | None = None,
    rows: Any = None,
    timeout_seconds: float | int = 10.0,
    method: str = "branching",
) -> TreeCounterfactuals:
    """The cheapest change of each row that gives a wanted answer, and whether that is proved.

    The change is the cheapest of all that the constraints allow, where whole numbers and categories stay whole; or it
    is proved that there is none, and said which constraints are in the way. Each result was given to the model in its
    final form. Empty cells stay empty.

    Args:
        model: a fitted tree, forest, gradient boosting or histogram gradient boosting of scikit-learn.
        x: rows as the model takes them, (row, column), as a tensor or array; categories as one-hot columns.
        schema: what the columns are; of `Columns` or an encoder, kinds and spreads are learned from ``rows``.
        constraints: which changes are allowed: `Immutable`, `Monotone`, `Ordinal`, `Range`, `MaxChanges`, `Relation`.
        target: the class that is wanted, as the model names it; None for any other than the predicted one.
        below, above: of a model of numbers, what the prediction should be below or above.
        rows: training rows, encoded as x; where single changes lead nowhere, the search begins at the nearest of them
            with a wanted answer.
        timeout_seconds: how long to search for each row; why there is no change takes as long again.
        method: ``branching``, branch and bound over the choices, or ``program``, a mixed-integer program that SciPy's
            HiGHS solves: slower, without relations, as a second proof. HiGHS may print.

    Raises:
        UnsupportedModelError: another model, one that is not fitted or splits categories itself, or a too large one.
        RecipeError: constraints that do not fit the table, `Causal`, a wish that does not fit the model, no time.
        DataError: rows of another table, columns of a category that are not one-hot, a class that the model lacks.
    """
    leaves = leaves_of(model)
    facts = given_schema(schema, rows, lambda _: inputs(rows).detach().cpu().double())
    allowed = allowed_by(constraints, facts)
    _check(allowed, timeout_seconds, method)
    check_wish(leaves, target, below, above)
    given = _rows(x, facts, leaves.num_columns)
    single = leaves.precision is np.float32 or given.dtype != torch.float64
    predict = _predicting(model)
    examples = None if rows is None else _examples(rows, facts, predict)
    precision = np.float32 if single else np.float64
    subject = Subject(grid_of(leaves, facts), facts, predict, precision, examples)
    before, encoded = facts.values(given), given.double().numpy()
    predicted = subject.predict(encoded)
    answers, outcomes = wanted_of(leaves, target, below, above), []
    for place in range(len(encoded)):
        has = [bool(one.holds(predicted[[place]])[0]) for one in answers]
        if any(has) and (target is not None or leaves.classes is None):
            outcomes.append(Outcome("already"))
            continue
        row = Row(subject, encoded[place], before[place], allowed)
        wanted = [one for one, is_there in zip(answers, has, strict=True) if not is_there]
        outcomes.append(outcome_of(row, wanted, method=method, seconds=timeout_seconds))
    found = _verified(subject, allowed, given, before=before, predicted=predicted, answers=answers, outcomes=outcomes)
    return replace(found, index=index_of(x))


def _verified(
    subject: Subject,
    allowed: Allowed,
    x: Tensor,
    *,
    before: NDArray[np.float64],
    predicted: NDArray[Any],
    answers: Sequence[Wanted],
    outcomes: list[Outcome],
) -> TreeCounterfactuals:
    """The changes that the model and all constraints confirm."""
    changed, after, prediction = torch.full_like(x, torch.nan), np.full_like(before, np.nan), predicted.copy()
    at = [place for place, one in enumerate(outcomes) if one.changed is not None]
    if at:
        changed[at] = torch.from_numpy(np.array([outcomes[place].changed for place in at])).to(x.dtype)
        after[at], prediction[at] = subject.schema.values(changed[at]), subject.predict(changed[at].double().numpy())
        is_allowed = allowed.satisfied(subject.schema.frame(x[at]), subject.schema.frame(changed[at]))
        is_wanted = np.any([one.holds(prediction[at]) for one in answers], axis=0) & (prediction[at] != predicted[at])
        for place in np.array(at)[~(is_allowed & is_wanted)].tolist():
            what = "the change breaks a constraint" if is_wanted[at.index(place)] else "the model answers otherwise"
            outcomes[place] = refused(outcomes[place], what)
            changed[place], after[place], prediction[place] = torch.nan, np.nan, predicted[place]
    return TreeCounterfactuals(
        x=x,
        changed=changed,
        status=tuple(one.status for one in outcomes),
        reason=tuple(one.reason for one in outcomes),
        cost=torch.tensor([one.cost for one in outcomes], dtype=torch.float64),
        bound=torch.tensor([one.bound for one in outcomes], dtype=torch.float64),
        is_proven=np.array([one.is_proven for one in outcomes]),
        in_the_way=tuple(one.in_the_way for one in outcomes),
        prediction=prediction,
        before=before,
        after=after,
        schema=subject.schema,
    )


def _examples(rows: Any, schema: Schema, predict: Callable[[NDArray[np.float64]], NDArray[Any]]) -> Examples:
    """Rows of data, or so many of them as are enough to begin with."""
    x = inputs(rows).detach().cpu().double()[:MOST_EXAMPLES]
    check_columns(x, schema.columns)
    return Examples(x.numpy(), schema.values(x), predict(x.numpy()))


def _check(allowed: Allowed, timeout_seconds: float | int, method: str) -> None:
    if allowed.of(Causal):
        raise RecipeError("Causal says what follows from a change, which no tree knows; drop it, or explain a network")
    if method not in ("branching", "program"):
        raise RecipeError(f"method is {method!r}; expected 'branching' or 'program'")
    if method == "program" and (relations := allowed.of(Relation)):
        raise RecipeError(f"the program knows no relations, such as {relations[0].text!r}; use method='branching'")
    if not timeout_seconds > 0:
        raise RecipeError(f"timeout_seconds is {timeout_seconds!r}; expected a number above 0")


def _rows(x: Any, schema: Schema, num_columns: int) -> Float[Tensor, " row column"]:
    """The rows as a tensor of floats on the CPU; a number may be NaN, an empty cell."""
    rows = inputs(x).detach().cpu()
    rows = rows if rows.is_floating_point() else rows.double()
    check_columns(rows, schema.columns)
    if num_columns != rows.shape[1]:
        raise DataError(f"the model was fitted to {num_columns} columns; x has {rows.shape[1]}")
    if not len(rows) or bool(rows.isinf().any()):
        raise DataError("x has no rows, or infinite values; expected finite numbers, NaN for empty cells")
    for feature in schema.features:
        held = rows[:, list(feature.places)]
        if feature.is_category and not bool((((held == 0) | (held == 1)).all(dim=1) & (held.sum(dim=1) <= 1)).all()):
            raise DataError(f"the columns of {feature.name!r} are not one-hot; expected one 1 and else 0 in each row")
        if not feature.mad < np.inf or not feature.mad > 0:
            raise DataError(f"the spread of {feature.name!r} is {feature.mad}; learn the schema from rows without NaN")
    return rows


def _predicting(model: Any) -> Callable[[NDArray[np.float64]], NDArray[Any]]:
    """The model's predictions, of a frame where it was fitted to one."""
    names = getattr(model, "feature_names_in_", None)

    def predict(rows: NDArray[np.float64]) -> NDArray[Any]:
        given = rows if names is None else pd.DataFrame(rows, columns=names)
        try:
            return np.asarray(model.predict(given))
        except ValueError as error:
            raise DataError(f"the model refuses the rows: {error}") from error

    return predict
