"""Verdicts on the rows of an evaluation, and which of two verdicts is decisive."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from corrigible.data.dataset import as_dataset, strata_of, task_of
from corrigible.data.protocol import Dataset, class_names_of
from corrigible.feedback.masks import marks_of, marks_to_swap, said_about
from corrigible.models.devices import device_named
from corrigible.protocols.baselines.recipe_baseline import marked_anywhere
from corrigible.protocols.corrections.judge import Judge, build_judge
from corrigible.protocols.corrections.verdict import Verdict, verdict
from corrigible.regions.shifts import Shift, shifts
from corrigible.study import Run, Study
from corrigible.types import Feedback
from corrigible.workflow.making import load_model

FAILED = "failed"

log = logging.getLogger(__name__)


def _closes_gap(run: Run) -> bool:
    """Whether the run's model was also trained to close a gap between groups."""
    return bool(run.record.get("enforced", {}).get("weight", 0) > 0)


def verdict_on_split(
    study: Study,
    compared: Sequence[Run],
    data: Dataset,
    feedback: Sequence[Feedback],
    *,
    train: Dataset,
    device: str,
    seed: int,
) -> Verdict | None:
    """The verdict on the evaluation's rows; None if there is no correction or nothing is marked.

    Args:
        compared: the runs of the trained model, its correction, and that correction's baselines.
        feedback: the feedback about these rows.
        train: the training rows.
    """
    corrected = next((run for run in compared if run.verb == "correct"), None)
    judge = None if corrected is None else _judge(study, corrected, data, feedback, train=train, seed=seed)
    if corrected is None or judge is None:
        return None
    if judge.exchanges.change_nothing():
        log.warning(
            f"no verdict on the {study.recipe.evaluate.split} rows: all hold the same where they are marked, so that "
            "reliance on it cannot be measured there"
        )
        return None
    tuned = next((run for run in compared if run.record.get("baseline") == "fine_tuned"), None)
    before, after, fine_tuned = (
        None if run is None else judge.judged(load_model(run, study.recipe).to(device_named(device)))
        for run in (compared[0], corrected, tuned)
    )
    assert before is not None and after is not None
    about: dict[str, Any] = {"class_names": class_names_of(data), "closes_gap": _closes_gap(corrected)}
    rows = (judge.exchanges.num_rows, judge.exchanges.kinds(study.recipe.evaluate.split))
    return verdict(before, after, judge.task, rows=rows, fine_tuned=fine_tuned, **about)


def shifts_on_split(
    study: Study, compared: Sequence[Run], data: Dataset, *, train: Dataset, device: str, seed: int
) -> list[Shift]:
    """The regions that the corrected model relies on more than before, on the evaluation's rows."""
    corrected = next((run for run in compared if run.verb == "correct"), None)
    if corrected is None:
        return []
    marked = marked_anywhere(marks_of(feedback_seen(study, corrected), train).irrelevant)
    before, after = (load_model(run, study.recipe).to(device_named(device)) for run in (compared[0], corrected))
    return shifts(before, after, data, marked, seed=seed)


def _judge(
    study: Study, corrected: Run, data: Dataset, feedback: Sequence[Feedback], *, train: Dataset, seed: int
) -> Judge | None:
    """A judge of these rows: swapped if anything is marked on them, otherwise wearing marked content of training rows.

    It uses the rules that the correction was made with, and all feedback on single rows, including later feedback.
    """
    seen = feedback_seen(study, corrected)
    marks = marks_of(seen, train)
    if not len(marks.reviewed_rows(train)):
        return None
    rules = [said for said in said_about(seen, study.recipe.evaluate.split) if said.scope != "row"]
    on_rows = marks_of([*rules, *(said for said in feedback if said.scope == "row")], data)
    on_rows = marks_to_swap(on_rows, strata_of(data))
    is_marked = len(on_rows.irrelevant.rows(strata_of(data))) > 0
    rows = as_dataset(data, task=task_of(train))
    return build_judge(train, marks, validation=rows, validation_marks=on_rows if is_marked else None, seed=seed)


def feedback_seen(study: Study, run: Run) -> list[Feedback]:
    """The feedback about training rows or every row, as it was when the run was made."""
    with study.feedback() as store:
        return said_about((said for _, said in store.at_revision(run.record["feedback_revision"])), "train")


def verdicts_on(run: Run, evaluation: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The verdicts on a correction, the decisive one first: a failed one, else the evaluation's, else the run's own.

    Empty if the run is not a correction, or was made and evaluated by a version without verdicts.
    """
    given = [evaluation.get("verdict"), run.record.get("verdict")] if run.verb == "correct" else []
    return sorted((found for found in given if found), key=lambda found: found["outcome"] != FAILED)
