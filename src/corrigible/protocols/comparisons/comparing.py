"""Correct with several methods on the same feedback, and measure them on the same rows.

Methods are ranked by swap score, as weights are, because users have no rows without the confounder. Some methods train
on swapped rows and memorise them, so the score is computed on rows held out from training: on validation rows, or on
some of the reviewed rows, for which each method is trained once more without them, for half of the epochs.
"""

import logging
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from torch import nn

from corrigible.arguments import whole_number
from corrigible.augment import AUGMENTS
from corrigible.data.dataset import as_dataset, labelled, strata_of, task_of
from corrigible.data.protocol import Dataset
from corrigible.declarations import declaration_of
from corrigible.errors import (
    CorrectionRefusedError,
    NoGradientError,
    RecipeError,
    TrainingDivergedError,
    UnsupportedModelError,
)
from corrigible.evaluation import evaluate, metric_list
from corrigible.feedback.checks import as_list
from corrigible.feedback.extent import doubtful_extents
from corrigible.feedback.masks import Marks, marks_of
from corrigible.losses import LossChoice
from corrigible.models.networks import copied, trainable_network
from corrigible.penalties import PENALTIES
from corrigible.protocols.comparisons.step_costs import step_costs
from corrigible.protocols.corrections.correction import Progress, correction
from corrigible.protocols.corrections.judged_rows import rows_to_judge
from corrigible.protocols.corrections.trials import Fold, short
from corrigible.protocols.corrections.usable_feedback import usable_marks
from corrigible.protocols.corrections.verdict import Verdict
from corrigible.protocols.corrections.weight import WeightChoice
from corrigible.protocols.schedule import OptimizerFactory, Schedule, Validation, result_of
from corrigible.protocols.steps import StepChoice
from corrigible.protocols.training_facts import Known, provided, split_method
from corrigible.types import Feedback, Measurement, Task

log = logging.getLogger(__name__)

WITHOUT_FEEDBACK = "without feedback"
"""Name of the method that trains on for as many epochs without any penalty."""
CANNOT_BE_APPLIED = (UnsupportedModelError, NoGradientError, TrainingDivergedError, CorrectionRefusedError)
"""Errors that make one method drop out of a comparison instead of ending the comparison."""
METRICS = ("accuracy", "swapped_accuracy", "worst_class_accuracy", "attribution_overlap", "flip_rate")
"""What is measured by default where labels are classes; for other tasks it is the task's own metrics."""


@dataclass(frozen=True)
class Candidate:
    """The model that one method gave, with its scores."""

    model: nn.Module
    weights: Mapping[str, float]
    """The weights of penalties that were chosen by swap score."""
    swap_score: float
    """On rows that the method was not trained on, if there are any; higher is better."""
    verdict: Verdict | None
    """None for a model that was trained without feedback."""


def compare(
    model: nn.Module,
    data: Any,
    feedback: Any,
    *,
    test: Any,
    test_feedback: Any = (),
    methods: Mapping[str, Mapping[Any, Any]] | None = None,
    metrics: Any = None,
    loss: LossChoice = "task_loss",
    optimizer: str | OptimizerFactory = "Adam",
    step: StepChoice | None = None,
    epochs: int = 24,
    batch_size: int | None = None,
    learning_rate: float = 1e-3,
    validation: Any = None,
    seed: Any = 0,
) -> pd.DataFrame:
    """Correct with several methods and return a table: one row per method, with metrics on the test rows.

    The columns are swap_score, verdict, the metrics, step_cost (relative to a step of plain training), weights, and
    note, which says why a method could not be applied. The best swap score comes first; then come failed corrections,
    and last the methods that could not be applied.

    Args:
        data: what the model was trained on, as for ``correct``.
        test: rows to measure on; ``test_feedback`` marks what must not matter there.
        metrics: None for a few that suit the task.
        methods: name -> penalties and augmentations, each as ``correct`` takes them; None for every single method
            that can use the feedback.
        loss, optimizer, step: as for ``correct``.

    Raises:
        FeedbackError, DataError, RecipeError: as ``correct``.
    """
    model = trainable_network(model)
    dataset, feedback, test_feedback = labelled(as_dataset(data)), as_list(feedback), as_list(test_feedback)
    marks, seed = _marks(feedback, dataset), whole_number("seed", seed)
    how: dict[str, Any] = {"loss": loss, "optimizer": optimizer, "step": step, "learning_rate": learning_rate}
    schedule = Schedule(epochs=epochs, batch_size=batch_size, **how)
    test = as_dataset(test, task=task_of(dataset))
    metrics = compared_metrics(task_of(dataset)) if metrics is None else metric_list(metrics)
    chosen = {WITHOUT_FEEDBACK: {}, **_checked(methods_for(marks, dataset) if methods is None else methods)}
    rows: dict[str, dict[str, Any]] = {}
    for name, method in chosen.items():
        settings: dict[str, Any] = {"schedule": schedule, "validation": validation, "seed": seed}
        try:
            found = result_of(candidate(model, dataset, feedback, method=method, **settings))
        except CANNOT_BE_APPLIED as error:
            rows[name] = {"note": str(error)}
            continue
        measured = evaluate(found.model, test, metrics=metrics, feedback=test_feedback, num_resamples=0, seed=seed)
        rows[name] = _row(found, measured)
    applied = {name: method for name, method in chosen.items() if not rows[name]["note"]}
    for name, cost in step_costs(model, dataset, marks, applied, schedule, seed=seed).items():
        rows[name]["step_cost"] = cost
    return _table(rows, ["swap_score", "verdict", *metrics, "step_cost", "weights", "note"])


def _marks(feedback: list[Feedback], dataset: Dataset) -> Marks:
    """The marks that methods learn from; what is doubtful about their extent is logged once for all methods."""
    marks = usable_marks(feedback, dataset)
    for doubt in doubtful_extents(feedback, dataset):
        log.warning(doubt.words)
    return marks


def _row(found: Candidate, measured: Sequence[Measurement]) -> dict[str, Any]:
    values = {m.metric: m.value for m in measured if not m.part}
    outcome = "" if found.verdict is None else found.verdict.outcome
    shown = {"swap_score": found.swap_score, "verdict": outcome, **values}
    return {**shown, "weights": dict(found.weights), "note": ""}


def compared_metrics(task: Task) -> tuple[str, ...]:
    """The metrics of a comparison if the caller names none."""
    return METRICS if task.name == "classes" else task.metrics


def _checked(methods: Any) -> Mapping[str, Mapping[Any, Any]]:
    if not isinstance(methods, Mapping) or WITHOUT_FEEDBACK in methods:
        raise RecipeError(f"methods is {methods!r}; expected {{name: method}}, no name being {WITHOUT_FEEDBACK!r}")
    return methods


def _table(rows: dict[str, dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    """The table, sorted: best swap score first, then failed corrections, then methods that could not be applied."""
    table: pd.DataFrame = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns)
    table["behind"] = table["verdict"].eq("failed") + 2 * table["verdict"].isna()
    return table.sort_values(["behind", "swap_score"], ascending=[True, False]).drop(columns="behind")


def candidate(
    model: nn.Module,
    dataset: Dataset,
    feedback: list[Feedback],
    *,
    method: Mapping[Any, Any],
    schedule: Schedule,
    validation: Any = None,
    watch: Validation | None = None,
    seed: int = 0,
) -> Generator[Progress, None, Candidate]:
    """Correct with these penalties and augmentations, yield progress records, and judge the result by swap score."""
    terms, changes = split_method(method)
    shared: dict[str, Any] = {"schedule": schedule, "validation": validation, "watch": watch, "seed": seed}
    running = correction(model, dataset, feedback, augment=changes, penalties=terms, **shared)
    weights: dict[str, float] = {}
    found = None
    while True:
        try:
            progress = next(running)
        except StopIteration as finished:
            corrected = finished.value
            break
        if isinstance(progress, WeightChoice):
            weights[progress.penalty] = progress.weight
        if isinstance(progress, Verdict):
            found = progress
        yield progress
    fold = _fold(dataset, feedback, validation, seed)
    scored = corrected
    if fold.rows is not None:
        known = Known(model, dataset, fold.marks, seed)
        chosen = [replace(term, weight=weights.get(term.name, term.weight)) for term in provided(terms, known)]
        scored = copied(model)
        yield from fold.taught(scored, chosen, changes, short(schedule), known)
    return Candidate(corrected, weights, fold.judge.score(scored), found)


def num_epochs(dataset: Dataset, feedback: list[Feedback], validation: Any, schedule: Schedule, seed: int) -> int:
    """For how many epochs `candidate` trains, besides the trials that choose a weight."""
    is_taught_again = _fold(dataset, feedback, validation, seed).rows is not None
    return schedule.epochs + (short(schedule).epochs if is_taught_again else 0)


def _fold(dataset: Dataset, feedback: list[Feedback], validation: Any, seed: int) -> Fold:
    """The rows that a method is scored on, and those that teach it for that."""
    return rows_to_judge(dataset, marks_of(feedback, dataset), feedback, validation).folds(seed)[0]


def methods_for(marks: Marks, dataset: Dataset) -> dict[str, dict[str, Any]]:
    """Every single method that can use the marks; a penalty's weight is chosen by swap score."""
    said = marks.said(strata_of(dataset))
    served = [name for family in (AUGMENTS, PENALTIES) for name in family if declaration_of(family[name]).serves & said]
    return {name: {name: {} if name in AUGMENTS else "auto"} for name in served}
