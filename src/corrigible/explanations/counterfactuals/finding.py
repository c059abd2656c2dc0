"""Counterfactuals: which change of a row would give another answer.

Wachter, Mittelstadt and Russell 2018, Counterfactual explanations without opening the black box, ask for the nearest
row with another answer, in units of each feature's median absolute deviation. Here rows go there by single changes,
which the gradient proposes and the model itself confirms; what a change does not need is taken back. Several changes of
one row differ in the features they change (Mothilal, Sharma and Tan 2020, DiCE).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from corrigible.arguments import whole_number
from corrigible.data.arrays import index_of
from corrigible.data.table_encoder import TableEncoder
from corrigible.explanations.counterfactuals.choosing import chosen
from corrigible.explanations.counterfactuals.constraints import Constraint
from corrigible.explanations.counterfactuals.preparing import asked
from corrigible.explanations.counterfactuals.result import Counterfactuals
from corrigible.explanations.counterfactuals.schema import Schema
from corrigible.explanations.counterfactuals.verified import verified
from corrigible.tasks import TaskChoice
from corrigible.types import Columns


def counterfactuals(
    model: Callable[[Tensor], Any],
    x: Any,
    *,
    schema: Columns | TableEncoder | Schema,
    constraints: Sequence[Constraint] = (),
    target: Any = None,
    below: float | int | None = None,
    above: float | int | None = None,
    k: int = 1,
    rows: Any = None,
    task: TaskChoice | None = None,
    plausible: bool = True,
    quantile: float = 0.5,
    starts: int = 2,
    class_names: Sequence[str] = (),
    rows_at_once: int | None = None,
    seed: int = 0,
) -> Counterfactuals:
    """For each row up to k small changes that give another answer, and of rows without any why not.

    Every result was given to the model in its final form, with whole numbers and whole categories, and obeys every
    constraint. Empty cells stay empty, and numbers stay within the range of the rows of data. The model stays as it is.
    The search is a heuristic: results are small, not proved smallest; of trees `tree_counterfactuals` proves it.

    Args:
        x: rows as the model takes them, (row, column).
        schema: what the columns are; of `Columns` or an encoder, kinds and spreads are learned from ``rows``.
        constraints: which changes are allowed: `Immutable`, `Monotone`, `Ordinal`, `Range`, `MaxChanges`, `Relation`,
            and `Causal` for what follows from a change.
        target: the class that is wanted, by its number or, where names are known, by its name: one for all rows or one
            for each; None for any other than the predicted one.
        below, above: for other tasks, bounds that the prediction should keep, in the unit of the labels.
        k: how many changes of each row, each of another set of features.
        rows: training rows, encoded as x. Searches look at those with the wanted answer, of at most 2,000 rows.
        task: what the outputs mean, as `explain` takes it.
        plausible: whether results should be as near to ``rows`` with the wanted answer as a share of these, the
            ``quantile``, are to each other, or as the row itself is to any of ``rows``. Where no such result is found,
            one as near as can be is given, and `is_plausible` says so. Without rows this is not measured.
        starts: with how many first steps the search begins; more may find cheaper changes.
        class_names: of the classes; empty for those that an encoder given as schema knows.
        rows_at_once: how many rows the model runs on at once; None for what fits.
        seed: settles which rows are looked at if there are more than 2,000, and what a random model draws.

    Raises:
        RecipeError: constraints that do not fit the table, no bounds for a task of numbers, settings out of range.
        DataError: rows of another table, a class that the model does not have, rows that are needed and not given.
        UnsupportedModelError: a model that mixes rows, answers at random or has no gradient.
    """
    k, starts = whole_number("k", k, least=1), whole_number("starts", starts, least=1)
    with asked(
        model,
        x,
        schema=schema,
        constraints=constraints,
        rows=rows,
        wanted={"target": target, "below": below, "above": above},
        task=task,
        quantile=quantile,
        is_bounded=plausible,
        rows_at_once=rows_at_once,
        seed=seed,
        class_names=class_names,
    ) as (asking, near, already, _, names):
        found = chosen(asking, np.flatnonzero(~already), near, k=k, starts=starts)
        return replace(verified(asking, found, already, names, near=near), index=index_of(x))
