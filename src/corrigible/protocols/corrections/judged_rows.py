"""The rows of a correction, with what teaches and what judges it."""

from dataclasses import dataclass
from typing import Any

from corrigible.data.dataset import as_dataset, labelled, require_different, shape_of, strata_of, task_of
from corrigible.data.protocol import Dataset, columns_of
from corrigible.data.trained_columns import require_same_columns
from corrigible.errors import DataError
from corrigible.feedback.masks import Marks, as_rule, marks_of, marks_to_swap
from corrigible.protocols.corrections.judge import Judge, build_judge
from corrigible.protocols.corrections.trials import Fold, folds_of
from corrigible.protocols.schedule import Schedule
from corrigible.types import Feedback

POINTS_PER_STEP = 0.06
"""Rows that pass through each of two models for the verdict, relative to the rows that are trained on."""
LEAST_POINTS, MOST_POINTS = 600, 6000


@dataclass(frozen=True)
class JudgedRows:
    """The rows of one correction, with what teaches and what judges it."""

    dataset: Dataset
    marks: Marks
    validation: Dataset | None
    validation_marks: Marks | None
    """The marks that rules make on the validation rows; None if no rule marks any of them."""

    def folds(self, seed: int) -> tuple[Fold, ...]:
        """The folds for trials: training rows that teach, and the judge that holds none of them."""
        return folds_of(
            self.dataset, self.marks, validation=self.validation, validation_marks=self.validation_marks, seed=seed
        )

    def judge(self, schedule: Schedule, seed: int) -> Judge:
        """The judge for the verdict; running it costs about a tenth of the training.

        Raises:
            FeedbackError: exchanging what was marked changes no row.
        """
        points = round(POINTS_PER_STEP * len(self.dataset) * schedule.epochs)
        found = build_judge(
            self.dataset,
            self.marks,
            validation=self.validation,
            validation_marks=self.validation_marks,
            points=min(max(points, LEAST_POINTS), MOST_POINTS),
            seed=seed,
        )
        found.require_changes()
        return found


def rows_to_judge(dataset: Dataset, marks: Marks, feedback: list[Feedback], validation: Any) -> JudgedRows:
    """The rows to judge on: validation rows for rules that apply to any of them, reviewed rows for their feedback."""
    if validation is None:
        return JudgedRows(dataset, marks, None, None)
    rows = labelled(as_dataset(validation, task=task_of(dataset)))
    _require_like(rows, dataset)
    rules = [rule for said in feedback if (rule := as_rule(said)) is not None]
    of_rules = marks_to_swap(marks_of(rules, rows), strata_of(rows)) if rules else None
    is_marked = of_rules is not None and len(of_rules.irrelevant.rows(strata_of(rows))) > 0
    return JudgedRows(dataset, marks, rows, of_rules if is_marked else None)


def require_same_inputs(validation: Dataset, dataset: Dataset) -> None:
    """Raises DataError if validation rows have other columns, the same in another order, or another shape."""
    names, expected_names = columns_of(validation), columns_of(dataset)
    if names is not None and expected_names is not None:
        require_same_columns(names.names, expected_names.names, "the training rows have")
    found, expected = shape_of(validation), shape_of(dataset)
    if found != expected:
        raise DataError(f"validation rows have shape {found}; expected {expected}, that of the training rows")


def _require_like(validation: Dataset, dataset: Dataset) -> None:
    """Raises DataError if validation rows have other inputs, unknown classes, or one class only."""
    require_same_inputs(validation, dataset)
    classes, known = (set(strata_of(rows).tolist()) for rows in (validation, dataset))
    if task_of(dataset).logits is None:
        require_different(validation)
    elif not classes <= known or len(classes) < 2:
        raise DataError(
            f"validation labels are {sorted(classes)[:5]}; expected at least two of the training rows' classes, "
            f"{sorted(known)[:5]}: give other rows, or none to be judged on training rows"
        )
