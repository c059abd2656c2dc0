"""Observations of explanations: of the label where it is a class, and otherwise of what the task explains."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.data.protocol import tokens_of
from corrigible.explanations.explaining import explain
from corrigible.explanations.groups import TOKEN
from corrigible.explanations.quality import (
    deletion_auc,
    insertion_auc,
    pointing_game,
    relevance_mass,
    relevance_rank,
    sparseness,
)
from corrigible.explanations.question import predicted_target
from corrigible.explanations.scores import score_for
from corrigible.explanations.words import settings_for_texts
from corrigible.models.forward import Score
from corrigible.observations.observed import OBSERVATIONS
from corrigible.observations.rows import Rows
from corrigible.types import Batch


@dataclass(frozen=True)
class Explainer:
    """How rows are explained."""

    method: str
    settings: Mapping[str, Any]
    seed: int

    def explained(self, rows: Rows, batch: Batch) -> "Explained":
        """The rows of a batch with the attribution of each row's target."""
        shared: dict[str, Any] = {"columns": batch.columns, "seed": self.seed, "rows_at_once": rows.batch_size}
        settings = self.settings
        if tokens_of(rows.dataset) is not None:
            settings = settings_for_texts(self.method, settings)
        target = self._target(rows, batch)
        found = explain(rows.model, batch.x, target, method=self.method, task=rows.task, **shared, **settings)
        return Explained(rows, batch, target, self.settings.get("score"), found)

    def _target(self, rows: Rows, batch: Batch) -> Int[Tensor, " batch"]:
        """The label where it is a class, and otherwise what the task explains by default."""
        if rows.task.name == "classes":
            return batch.y
        asked: dict[str, Any] = {"task": rows.task, "score": self.settings.get("score"), "seed": self.seed}
        return predicted_target(rows.model, batch.x, rows_at_once=rows.batch_size, **asked)


class Explained(NamedTuple):
    """The rows of a batch, and how they were explained."""

    rows: Rows
    batch: Batch
    target: Int[Tensor, " batch"]
    score: str | Score | None
    """The score that was asked for; None for the default."""
    attribution: Float[Tensor, " batch *input"]


def qualities(rows: Rows, strata: Tensor, names: Collection[str], explainer: Explainer) -> dict[str, Tensor]:
    """The observations about explanations among these names; NaN on rows where one is undefined."""
    relevant = rows.marks.relevant.rows(strata)
    about_relevant = {name for name in _QUALITIES if OBSERVATIONS[name].about == "relevant"}
    asked = [name for name in _QUALITIES if name in names and (len(relevant) or name not in about_relevant)]
    found = {name: torch.full((len(strata),), torch.nan, dtype=torch.float64) for name in asked}
    if not asked:
        return found
    if about_relevant.issuperset(asked):
        rows = replace(rows, index=relevant)
    for batch in rows.batches():
        explained = explainer.explained(rows, batch)
        for name in asked:
            found[name][batch.index.cpu()] = _QUALITIES[name](explained)
    return found


def attribution_share(rows: Rows, explainer: Explainer) -> Float[Tensor, " row"]:
    """The share of absolute attribution on irrelevant inputs; NaN without any attribution."""
    found = []
    for batch in rows.batches():
        assert batch.irrelevant is not None
        size = explainer.explained(rows, batch).attribution.detach().cpu().double().abs()
        found.append((size * batch.irrelevant.cpu()).flatten(1).sum(1) / size.flatten(1).sum(1))
    return torch.cat(found)


def _area(measure: Callable[..., Tensor], explained: Explained) -> Tensor:
    rows, batch, target, score, attribution = explained
    shared: dict[str, Any] = {"columns": batch.columns, "rows_at_once": rows.batch_size}
    shared["groups"] = None if tokens_of(rows.dataset) is None else TOKEN
    # The score that was explained, except that probabilities of classes are easier to read than logits.
    shared["score"] = "target_prob" if rows.task.name == "classes" else score_for(score, rows.task)
    return measure(rows.model, batch.x, target, attribution, **shared)


def _against_marks(measure: Callable[..., Tensor], explained: Explained) -> Tensor:
    return measure(explained.attribution, explained.batch.relevant)


_QUALITIES: dict[str, Callable[[Explained], Tensor]] = {
    "deletion": partial(_area, deletion_auc),
    "insertion": partial(_area, insertion_auc),
    "sparseness": lambda explained: sparseness(explained.attribution),
    "pointing": partial(_against_marks, pointing_game),
    "relevance_mass": partial(_against_marks, relevance_mass),
    "relevance_rank": partial(_against_marks, relevance_rank),
}
