"""Several methods on the same feedback, measured on the same rows.

What ranks them is a swap score, as it ranks weights: rows without the confounder are what a user does not have. But
some methods train on swapped rows, and know by heart those that they were taught with. So the score is taken on rows
whose marks were kept from training: on validation rows under the rules, or on a quarter of the reviewed rows, for which
each method is trained once more without them.
"""

import copy
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import torch
from torch import nn

from corrigible.data.dataset import Dataset, all_labels, as_dataset, labelled
from corrigible.errors import NoGradientError, TrainingDivergedError, UnsupportedModelError
from corrigible.evaluation import evaluate
from corrigible.feedback.masks import Marks, marks_of, marks_to_swap
from corrigible.objective import as_settings
from corrigible.penalties import ABOUT_EITHER, FEEDBACK_LOSSES, FEEDBACK_PENALTIES, RELEVANCE_PENALTIES
from corrigible.protocols.correction import Progress, correction, judge_of
from corrigible.protocols.providing import provided
from corrigible.protocols.schedule import Schedule, Validation, result_of, run
from corrigible.protocols.step_costs import step_costs
from corrigible.protocols.weight import Judge, WeightChoice
from corrigible.types import Feedback

WITHOUT_FEEDBACK = "without feedback"
"""The method that trains on for as many epochs with no penalty."""
CANNOT_BE_APPLIED = (UnsupportedModelError, NoGradientError, TrainingDivergedError)
"""What makes one method drop out of a comparison, not the comparison stop."""
METRICS = ("accuracy", "swapped_accuracy", "worst_class_accuracy", "attribution_overlap", "flip_rate")


@dataclass(frozen=True)
class Candidate:
    """What one method made of a model."""

    model: nn.Module
    weights: Mapping[str, float]
    """Those that were chosen by swap score."""
    swap_score: float
    """On rows whose marks did not teach it, where there are any; higher is better."""


def compare(
    model: nn.Module,
    data: Any,
    feedback: Iterable[Feedback],
    *,
    test: Any,
    test_feedback: Iterable[Feedback] = (),
    methods: Mapping[str, Mapping[str, Any]] | None = None,
    metrics: Sequence[str] = METRICS,
    epochs: int = 24,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    validation: Any = None,
    seed: int = 0,
) -> pd.DataFrame:
    """One row per method, the best swap score first: its metrics on the test rows and what a step of it costs.

    The columns are swap_score, the metrics, step_cost (over a step of plain training), weights, and note, which says
    why a method could not be applied.

    Args:
        data: what the model was trained on, as for ``correct``.
        test: rows to measure on; ``test_feedback`` marks what must not matter there.
        methods: name -> penalties as ``correct`` takes them; None for every single penalty that the feedback serves.

    Raises:
        FeedbackError, DataError, RecipeError: as ``correct``.
    """
    dataset, feedback, test_feedback = labelled(as_dataset(data)), list(feedback), list(test_feedback)
    marks = marks_of(feedback, dataset)
    schedule = Schedule(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate)
    chosen = methods_for(marks, dataset) if methods is None else methods
    rows: dict[str, dict[str, Any]] = {}
    applied = {}
    for name, penalties in {WITHOUT_FEEDBACK: {}, **chosen}.items():
        settings: dict[str, Any] = {"schedule": schedule, "validation": validation, "seed": seed}
        try:
            found = result_of(candidate(model, dataset, feedback, penalties=penalties, **settings))
        except CANNOT_BE_APPLIED as error:
            rows[name] = {"note": str(error)}
            continue
        applied[name] = as_settings(penalties)
        measured = evaluate(found.model, test, metrics=metrics, feedback=test_feedback, num_resamples=0, seed=seed)
        values = {m.metric: m.value for m in measured if not m.part}
        rows[name] = {"swap_score": found.swap_score, **values, "weights": dict(found.weights), "note": ""}
    for name, cost in step_costs(model, dataset, marks, applied, schedule, seed=seed).items():
        rows[name]["step_cost"] = cost
    columns = ["swap_score", *metrics, "step_cost", "weights", "note"]
    table = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns)
    return table.sort_values("swap_score", ascending=False)


def candidate(
    model: nn.Module,
    dataset: Dataset,
    feedback: list[Feedback],
    *,
    penalties: Mapping[str, Any],
    schedule: Schedule,
    validation: Any = None,
    watch: Validation | None = None,
    seed: int = 0,
) -> Generator[Progress, None, Candidate]:
    """Correct with these penalties, told as it goes, and judge the result by swap score."""
    settings = as_settings(penalties)
    running = correction(
        model, dataset, feedback, penalties=settings, schedule=schedule, validation=validation, watch=watch, seed=seed
    )
    weights = {}
    while True:
        try:
            progress = next(running)
        except StopIteration as finished:
            corrected = finished.value
            break
        if isinstance(progress, WeightChoice):
            weights[progress.penalty] = progress.weight
        yield progress
    taught, kept = split_feedback(feedback, seed)
    if not kept:
        judge = judge_of(dataset, marks_of(feedback, dataset), feedback, validation, seed)
        return Candidate(corrected, weights, judge.score(corrected, seed))
    judge = _judge_of_kept(dataset, feedback, kept, seed)
    chosen = {name: {**given, "weight": weights.get(name, given["weight"])} for name, given in settings.items()}
    marks, again = marks_of(taught, dataset), copy.deepcopy(model)
    filled = provided(chosen, model, dataset, marks, seed)
    yield from run(again, dataset, schedule, marks=marks, penalties=filled, validation=watch, seed=seed)
    return Candidate(corrected, weights, judge.score(again, seed))


def _judge_of_kept(dataset: Dataset, feedback: list[Feedback], kept: list[Feedback], seed: int) -> Judge:
    """The kept rows, with values that all rows have to lend as far as any of them were marked."""
    labels = all_labels(dataset)
    judge, every = judge_of(dataset, marks_of(kept, dataset), kept, None, seed), marks_of(feedback, dataset)
    every = marks_to_swap(every, labels)
    is_known = bool(torch.isin(judge.rows, every.irrelevant.rows(labels)).all())
    return replace(judge, marks=every) if is_known else judge


def split_feedback(feedback: Sequence[Feedback], seed: int) -> tuple[list[Feedback], list[Feedback]]:
    """What teaches and what is kept to judge by: a quarter of the reviewed rows, all that was said about each.

    Nothing is kept where there are rules, which hold on every row, or fewer than 4 reviewed rows.
    """
    rows = list(dict.fromkeys(said.row for said in feedback))
    if len(rows) < 4 or any(said.scope != "row" for said in feedback):
        return list(feedback), []
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed)).tolist()
    kept = {rows[place] for place in order[: len(rows) // 4]}
    return [said for said in feedback if said.row not in kept], [said for said in feedback if said.row in kept]


def methods_for(marks: Marks, dataset: Dataset) -> dict[str, dict[str, Any]]:
    """Every penalty by itself that what people said can serve, its weight chosen by swap score."""
    labels = all_labels(dataset)
    about_irrelevant = FEEDBACK_PENALTIES | FEEDBACK_LOSSES if len(marks.irrelevant.rows(labels)) else {}
    about_relevant = [*RELEVANCE_PENALTIES, *ABOUT_EITHER] if len(marks.relevant.rows(labels)) else []
    return {name: {name: "auto"} for name in [*about_irrelevant, *about_relevant]}
