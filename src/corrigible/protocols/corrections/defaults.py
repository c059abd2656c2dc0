"""The default method: how a model is corrected if no method is named."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from corrigible.batches import collate
from corrigible.data.dataset import strata_of, task_of
from corrigible.data.protocol import Dataset, tokens_of
from corrigible.data.swapping import is_background
from corrigible.feedback.masks import Marks

NUM_LOOKED_AT = 256
RULE_WEIGHT = 2.0
"""Weight of `energy_outside` beside `transplant`, for a rule about a table."""


@dataclass(frozen=True)
class MethodChosen:
    """The method that a correction uses because none was named."""

    augment: Mapping[str, Mapping[str, Any]]
    penalties: Mapping[str, Mapping[str, Any]]
    message: str


def default_method(dataset: Dataset, marks: Marks) -> MethodChosen:
    """The method for this feedback: `transplant`, or `energy_outside` if marked content cannot be moved between rows.

    A rule about a table uses both: what remains after moving alone, 4 % of the effect of race, is too much for a rule.
    """
    rows = marks.irrelevant.rows(strata_of(dataset))
    by_penalty: dict[str, dict[str, Any]] = {"energy_outside": {"weight": "auto"}}
    if not len(rows):
        return MethodChosen({}, by_penalty, "method: energy_outside; the feedback says what should matter")
    looked_at = rows[torch.linspace(0, len(rows) - 1, min(NUM_LOOKED_AT, len(rows))).long()]
    marked = collate(dataset, looked_at, marks)
    assert marked.irrelevant is not None
    if marked.x.ndim not in (2, 4) and tokens_of(dataset) is None:
        why = "rows are neither images with channels, tables nor texts, between which content is moved"
        return MethodChosen({}, by_penalty, f"method: energy_outside; {why}")
    if marked.x.ndim > 2 and bool(is_background(marked.irrelevant).float().mean() > 0.5):
        why = "most of each row is marked, which cannot be put onto other rows"
        return MethodChosen({}, by_penalty, f"method: energy_outside; {why}")
    if marked.x.ndim == 2 and bool(marks.irrelevant.everywhere.any()):
        why = "a rule on a table holds for every value"
        strict = {"energy_outside": {"weight": RULE_WEIGHT}}
        return MethodChosen(
            {"transplant": {}}, strict, f"method: transplant with energy_outside {RULE_WEIGHT:g}; {why}"
        )
    moved = "rows" if task_of(dataset).logits is None else "rows of all classes"
    return MethodChosen({"transplant": {}}, {}, f"method: transplant; marked content moves between {moved}")
