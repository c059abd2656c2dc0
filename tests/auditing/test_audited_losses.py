"""The gap of losses is that of `evaluate`: of each task that a model has learned, on the same rows."""

import numpy as np
import pandas as pd
import pytest
import torch

import corrigible
from corrigible.auditing.groups import observed
from corrigible.auditing.losses import losses_of_amounts, losses_of_classes
from corrigible.auditing.subject import subject_of
from corrigible.metrics import group_loss_gap
from corrigible.tasks import CLASSES, task_named

ROWS = 60
RNG = np.random.default_rng(0)
X = pd.DataFrame({"age": RNG.uniform(20, 70, ROWS), "sex": RNG.choice(["f", "m"], ROWS)})
COUNTS = pd.Series(RNG.poisson(X.age / 30 * (1 + (X.sex == "m"))))
EXPOSURE = RNG.uniform(0.2, 1, ROWS)
GROUP = torch.from_numpy((X.sex == "m").to_numpy().astype(np.int64))


def audited_gap(model, y, exposure=None):
    subject = subject_of(model, X, y, lambda frame: frame, has_exposure=exposure is not None)
    scores, labels = subject.checked(X), y.to_numpy().astype(np.float64)
    task = CLASSES if subject.classes else task_named("amounts", torch.from_numpy(labels))
    rows = observed(labels, scores, subject.places(scores), task, exposure, subject.means)
    return float(group_loss_gap(rows["loss"], GROUP))


@pytest.mark.filterwarnings("ignore:the loss was still falling")
@pytest.mark.parametrize("task", ["amounts", "counts", {"name": "positive_amounts", "power": 1.5}, "classes"])
@pytest.mark.every(3)
def test_evaluate_and_audit_have_the_same_gap(task):
    beside = {} if task in ("amounts", "classes") else {"exposure": EXPOSURE}
    kind = corrigible.TabularClassifier if task == "classes" else corrigible.TabularRegressor
    model, y = kind(task=task, ensemble=1, hidden_layer_sizes=(4,), max_epochs=2), COUNTS
    y = y > 1 if task == "classes" else y
    model.fit(X, y, **beside)
    (expected,) = model.evaluate(X, y, sensitive_features=X.sex, metrics=["group_loss_gap"], num_resamples=0, **beside)
    assert audited_gap(model, y, **beside) == pytest.approx(expected.value, rel=1e-3)


def test_a_function_of_amounts_has_the_loss_of_amounts():
    y = COUNTS * 1.5
    loss = (X.age / 20 - y) ** 2 / 2 / y.var(ddof=0)
    expected = np.ptp(loss.groupby(X.sex).mean())
    assert audited_gap(lambda frame: frame.age / 20, y) == pytest.approx(expected, rel=1e-4)


def test_a_probability_of_0_has_a_finite_loss_and_a_small_one_its_own():
    probs = torch.tensor([[1.0, 0.0], [1 - 1e-9, 1e-9]], dtype=torch.float64)
    losses = losses_of_classes(probs, torch.tensor([1, 1]))
    assert losses[0] < 40 and losses[1] == pytest.approx(-np.log(1e-9))


def test_no_loss_where_predictions_do_not_tell_it():
    y, ones = torch.tensor([1.0, 2.0]), torch.ones(2)
    assert losses_of_amounts(ones, y, ones, {"name": "amounts", "heteroscedastic": True}) is None
    assert losses_of_amounts(ones, torch.tensor([0.0, 2.0]), ones, "positive_amounts") is None
