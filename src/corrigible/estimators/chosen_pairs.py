"""Pairs of columns whose products a network gets as additional inputs, chosen by how much another one combines them."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from corrigible.data.dataset import task_of
from corrigible.errors import RecipeError
from corrigible.estimators.given_rows import GivenRows
from corrigible.estimators.learning import HowToLearn, Learned, learned
from corrigible.explanations.strongest_interactions import strongest_interactions
from corrigible.tasks import TaskChoice

log = logging.getLogger(__name__)

MEASURED_WITH = (128, 128)
"""Hidden layers of the network that is measured, where the one that is asked for has none, and so combines nothing."""


def learned_with_pairs(rows: GivenRows, task: TaskChoice, how: HowToLearn) -> Learned:
    """As `learned`; where ``interactions`` is a number, a network is learned first to tell which pairs to add.

    A number is not paired with itself: its embedding can bend already. Columns with a direction are in no pair.

    Raises:
        RecipeError: not a number of pairs that there are, nor pairs of names; else as `learned`.
    """
    asked: Any = how.interactions
    if isinstance(asked, bool) or not isinstance(asked, int | Sequence) or isinstance(asked, str):
        raise RecipeError(f"interactions is {asked!r}; expected a whole number of pairs to add, or pairs of names")
    if not isinstance(asked, int) or asked == 0:
        return learned(rows, task, replace(how, interactions=[] if asked == 0 else asked))
    if asked < 0:
        raise RecipeError(f"interactions is {asked}; expected at least 0")
    first = learned(
        rows, task, replace(how, interactions=[], hidden_layer_sizes=how.hidden_layer_sizes or MEASURED_WITH)
    )
    chosen = _chosen(first, asked, how.seed)
    strengths = ", ".join(f"{one} × {other} ({strength:.2g})" for one, other, strength in chosen)
    log.info("pairs of columns that interact most, with the strengths in the network's output: %s", strengths)
    return learned(rows, task, replace(how, interactions=[(one, other) for one, other, _ in chosen]))


def _chosen(first: Learned, count: int, seed: int) -> list[tuple[str, str, float]]:
    """The pairs that the network combines most, with their interactions."""
    facts, directed = first.fitted.network.facts, first.fitted.network.settings.get("monotonic_cst", {})
    columns = first.fitted.encoder.columns
    free = [name for name in columns.features if name in facts["features"] and name not in directed]
    possible = len(free) * (len(free) - 1) // 2
    if count > possible:
        raise RecipeError(f"interactions is {count}; {len(free)} columns without a direction form {possible} pairs")
    found = strongest_interactions(first.network, first.data.x, columns, task=task_of(first.data), seed=seed)
    of_free = found[(found.feature != found.other) & found.feature.isin(free) & found.other.isin(free)]
    return list(of_free.head(count)[["feature", "other", "interaction"]].itertuples(index=False, name=None))
