"""Rows that an estimator learns from a teacher: any model of the rows as they are given, without gradients."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing
from torch import nn

from corrigible.data.labelling import name_of_task
from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.estimators.given_rows import GivenRows
from corrigible.losses import LossChoice
from corrigible.losses.soft_targets import soft_targets_of
from corrigible.models.networks import described_model
from corrigible.protocols.early_stopping import RowLoss
from corrigible.protocols.teacher import EXPECTED, asked, numbers_said, probabilities, said_by
from corrigible.tasks import TaskChoice
from corrigible.types import Task

SOFTENED = {"temperature": 1.0, "share": 1.0}
"""How a student learns: the teacher's probabilities as they are, and nothing of the labels."""
LOSS_OF_STUDENTS: LossChoice = {"name": "member_soft_targets", **SOFTENED}


def labels_of(teacher: Any, X: Any, task: TaskChoice, *, of_classes: bool) -> NDArray[Any]:
    """The labels of rows without any: what the teacher predicts.

    Raises:
        DataError: there is no teacher, or the labels are counts, of which it predicts the mean.
        UnsupportedModelError: a teacher that fails, or whose answers do not fit.
    """
    if teacher is None:
        raise DataError("fit requires y to be passed, but the target y is None; give y, or teacher=… to learn from")
    _require_of_rows(teacher)
    if name_of_task(task) == "counts":
        raise DataError(
            "y is None, and of counts a teacher predicts means; give y, or choose task='positive_amounts' to learn the "
            "means alone"
        )
    if hasattr(teacher, "predict"):
        labels = np.asarray(asked(teacher.predict, X))
        if labels.shape not in ((_num_rows(X),), (_num_rows(X), 1)):
            raise UnsupportedModelError(
                f"the teacher's predict gives shape {labels.shape} for {_num_rows(X)} rows; expected a label of each"
            )
        return labels
    ask = teacher.predict_proba if of_classes and hasattr(teacher, "predict_proba") else teacher
    if isinstance(ask, type) or not callable(ask):
        raise UnsupportedModelError(f"the teacher is {described_model(teacher)}; expected {EXPECTED}")
    found = numbers_said(ask, X, _num_rows(X))
    if not of_classes:
        return found.numpy()
    places = probabilities(found).argmax(dim=1).numpy()
    classes = getattr(teacher, "classes_", None)
    return places if classes is None else np.asarray(classes)[places]


def taught(rows: GivenRows, teacher: Any, X: Any, places: NDArray[np.int64], task: TaskChoice) -> GivenRows:
    """The rows with what the teacher says of each, as the loss `soft_targets` reads it.

    Args:
        rows: those of ``X`` at these places, with the numbers of their classes.

    Raises:
        RecipeError: a task whose outputs are more than a teacher predicts.
        UnsupportedModelError: no teacher, or one that does not fit; see `corrigible.distil`.
    """
    _require_of_rows(teacher)
    if name_of_task(task) == "quantiles":
        raise RecipeError("a teacher predicts one number of each row, no quantiles; expected task='amounts'")
    labelled = rows.data(torch.zeros(len(places), 1), None, task)
    given = X if len(places) == _num_rows(X) else _safe_indexing(X, places)
    said = said_by(teacher, labelled, rows=given, num_classes=len(rows.class_names)).double().numpy()
    return replace(rows, taught=said if rows.exposure is None else said * rows.exposure)


def loss_of_students(task: Task) -> RowLoss:
    """How far outputs are from what the teacher says: what is watched to say when to stop."""
    return lambda outputs, y, extra: soft_targets_of(task, outputs, y, extra, **SOFTENED)


def _num_rows(X: Any) -> int:
    return len(X) if isinstance(X, Sequence) else int(X.shape[0])


def _require_of_rows(teacher: Any) -> None:
    if isinstance(teacher, nn.Module):
        raise UnsupportedModelError(
            "the teacher is a network, which reads encoded rows; give a function of X that calls it, or use "
            "corrigible.distil with encoded rows"
        )
