"""What would change a prediction: of a row in review, and of the rows that the verb ``counterfactuals`` asks about."""

from typing import Any

from corrigible.data.dataset import TensorData
from corrigible.explanations.counterfactuals import Counterfactuals, counterfactuals
from corrigible.workflow.reviews.subject import Subject
from corrigible.workflow.reviews.tables import columns_in


def has_classes(subject: Subject) -> bool:
    """Whether the rows are those of a table, with one class each."""
    return subject.kind == "table" and subject.task.name == "classes"


def changes_of(subject: Subject, rows: TensorData, **asked: Any) -> Counterfactuals:
    """Changes of these rows of a table, sought near training rows that are not forgotten.

    Args:
        asked: settings of `corrigible.counterfactuals`, such as ``target``.
    """
    known = {"schema": columns_in(subject, rows), "rows": subject.sample, "task": subject.task, "seed": subject.seed}
    known["class_names"] = subject.class_names
    return counterfactuals(subject.model, rows.x.flatten(1), **{**known, **asked})
