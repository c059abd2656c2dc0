"""What metrics leave out is said: no value stands for what was not measured."""

import inspect

import pytest
import torch
from torch import Tensor

from corrigible.evaluation import measure
from corrigible.metrics import METRICS
from corrigible.metrics.unmeasured import UNMEASURED
from corrigible.observations import OBSERVATIONS, Observations
from corrigible.tasks import CLASSES, task_named
from corrigible.types import Task


def noted(metric: str, *, task: Task = CLASSES, **rows: Tensor) -> tuple[float | None, str]:
    (found,) = measure(Observations(rows, torch.empty(0, dtype=torch.long), {}, task=task), [metric], num_resamples=0)
    return found.value, found.note


def predictions(predicted: list[int], y: list[int], num_classes: int = 2) -> dict[str, Tensor]:
    probs = torch.eye(num_classes, dtype=torch.float64)[predicted]
    return {"probs": probs, "predicted": torch.tensor(predicted), "y": torch.tensor(y)}


def test_every_note_is_about_a_metric_and_asks_for_observations():
    for name, function in UNMEASURED.items():
        assert name in METRICS
        assert OBSERVATIONS.keys() >= inspect.signature(function).parameters.keys()


@pytest.mark.parametrize("metric", ["demographic_parity_difference", "group_accuracy_gap", "group_prob_gap"])
def test_a_group_of_one_row_is_left_out_and_named(metric):
    rows = predictions([0, 0, 1, 0, 1], [0, 0, 1, 0, 1])
    _, note = noted(metric, **rows, group=torch.tensor([0, 0, 1, 1, 2]))
    assert note == "left out, with fewer than two rows: group 2"
    assert noted(metric, **rows, group=torch.tensor([0, 0, 1, 1, 1]))[1] == ""


def test_rates_of_too_few_rows_are_named():
    rows = predictions([0, 1, 0, 1, 1], [0, 0, 1, 1, 1])
    value, note = noted("equalized_odds_difference", **rows, group=torch.tensor([0, 1, 0, 0, 1]))
    assert value is None
    assert "with fewer than two rows of label 1: group 1" in note
    assert "with fewer than two rows of another label than 1: group 0, 1" in note


def test_the_accuracy_of_a_single_row_is_said():
    rows = predictions([0, 0, 1], [0, 0, 0])
    assert noted("worst_group_accuracy", **rows, group=torch.tensor([0, 0, 1])) == (
        0.0,
        "measured on a single row: group 1",
    )


@pytest.mark.parametrize(
    ("metric", "predicted", "y", "words"),
    [
        ("precision", [0, 0], [0, 1], "left out, never predicted: class 1"),
        ("recall", [0, 1], [0, 0], "left out, without rows: class 1"),
        ("f1", [0, 0], [0, 0], "no row has or is predicted as this class: class 1"),
        ("auc", [0, 1], [1, 1], "every row has the same label"),
    ],
)
def test_a_class_without_rows_gives_no_value(metric, predicted, y, words):
    value, note = noted(metric, **predictions(predicted, y))
    assert value is None
    assert words in note


def test_classes_that_no_row_has_are_named():
    rows = predictions([0, 0, 1], [0, 0, 1], num_classes=4)
    for metric in ("worst_class_accuracy", "auc"):
        assert noted(metric, **rows) == (1.0, "left out, without rows: class 2, 3")


def test_an_order_of_equal_predictions_is_not_measured():
    y = torch.tensor([1.0, 2.0, 4.0])
    rows = {"predicted": torch.ones(3), "y": y, "exposure": torch.ones(3, dtype=torch.float64)}
    value, note = noted("spearman", task=task_named("amounts", y, {}), **rows)
    assert (value, note) == (None, "not defined on these rows; all predictions are equal")
