"""Base values and suspects of fitted estimators, and what is said of names."""

import logging

import numpy as np
import pytest
from test_limited_estimators import LABELS, X, fitted

from corrigible import Feedback
from corrigible.errors import DataError, FeedbackError


@pytest.mark.parametrize("task", LABELS)
def test_the_base_value_and_the_contributions_sum_to_what_is_explained(task):
    model = fitted(task)
    rows = X[:7]
    sums = model.base_values(rows) + model.explain(rows).sum(axis=1)
    if task == "classes":
        probs = model.predict_proba(rows)
        # Two logits; that of the predicted class, and of the other one, tell the probability.
        other = model.classes_[1 - probs.argmax(1)]
        less = model.base_values(rows, other) + model.explain(rows, other).sum(axis=1)
        expected = probs.max(1)
        sums = 1 / (1 + np.exp(less - sums))
    elif task == "ordered_classes":
        expected = model.predict_proba(rows) @ np.arange(len(model.classes_))
    elif task == "quantiles":
        expected = model.predict(rows)[:, 1]
    elif task in ("counts", "positive_amounts"):
        expected = np.log(model.predict(rows))
    else:
        expected = model.predict(rows)
    assert sums.to_numpy() == pytest.approx(expected, abs=1e-4)


def test_a_class_by_name_against_another_and_with_another_score():
    model, rows = fitted("classes"), X[:7]
    why = model.explain(rows, target="True", against="False")
    base = model.base_values(rows, target="True", against="False")
    logits = np.log(model.predict_proba(rows))
    assert (base + why.sum(axis=1)).to_numpy() == pytest.approx(logits[:, 1] - logits[:, 0], abs=1e-4)
    of_probs = {"target": 1, "score": "target_prob"}
    sums = model.base_values(rows, **of_probs) + model.explain(
        rows, **of_probs, method="permutation_shapley", samples=4
    ).sum(axis=1)
    assert sums.to_numpy() == pytest.approx(model.predict_proba(rows)[:, 1], abs=1e-4)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"target": "maybe"}, "target is 'maybe'; expected one of False, True"),
        ({"target": 1, "y": [True] * 7}, "both y and target"),
        ({"target": "True", "against": 1}, "target and against are both 1"),
    ],
)
@pytest.mark.parametrize("verb", ["explain", "base_values"])
def test_targets_that_are_unknown_or_named_twice_are_refused(verb, asked, said):
    with pytest.raises(DataError, match=said):
        getattr(fitted("classes"), verb)(X[:7], **asked)


def test_validation_rows_are_a_frame_with_labels():
    model, x, y = fitted("classes"), X[:100], LABELS["classes"][:100]
    said = [Feedback("race", scope="dataset")]
    framed = model.correct(said, epochs=3, validation=(x, y), progress=False)
    measured = model._measured(x, y, None, None)
    assert framed.verdict_ == model.correct(said, epochs=3, validation=measured, progress=False).verdict_
    with pytest.raises(DataError, match=r"validation is a DataFrame; expected \(X, y\)"):
        model.correct(said, validation=x)


def test_suspects_are_a_frame_of_columns():
    leaking = X.assign(leak=np.where(LABELS["classes"], "A", "B"))
    model = fitted(max_epochs=20, x=leaking)
    found = model.suspects()
    assert found.index.name == "column" and found.suspicion.iloc[0] == 100
    assert found.tells_label["leak"] > 0.95
    assert (found.low <= found.effect).all() and (found.effect <= found.high).all()


@pytest.mark.slow
def test_fit_with_feedback_is_quiet_and_says_all_in_the_verdict(capfd, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # Those of pytest itself.
    found = fitted(feedback=[Feedback("race", scope="dataset")])
    assert found.verdict_ is not None
    assert capfd.readouterr() == ("", "")


def test_a_class_by_name_is_refused_with_its_number():
    said = Feedback("race", scope="class", label=1)
    object.__setattr__(said, "label", "True")
    with pytest.raises(FeedbackError, match="label is 'True'; expected the class's place in classes_: label=1"):
        fitted().correct([said])
