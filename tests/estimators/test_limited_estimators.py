"""Limiting the influence of columns on a fitted estimator: exact, told of, kept in files."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

from corrigible import Feedback, TabularClassifier, TabularRegressor
from corrigible.errors import DataError, FeedbackError, RecipeError
from corrigible.protocols.limiting import measuring


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    monkeypatch.setattr(measuring, "NUM_RESAMPLES", 10)


RNG = np.random.default_rng(0)
N = 120
SIGNAL = RNG.normal(size=N)
X = pd.DataFrame(
    {
        "age": 50 + 8 * SIGNAL,
        "race": np.where(RNG.random(N) < 0.5, "b", "w"),
        "income": SIGNAL + RNG.normal(size=N),
        "one": 1,
    }
)
X.loc[::9, "income"] = np.nan
SUM = SIGNAL + (X.race == "b") + 0.3 * RNG.normal(size=N)
LABELS = {
    "classes": SUM > 0.5,
    "ordered_classes": np.digitize(SUM, [0, 1]),
    "amounts": 3 * SUM,
    "counts": RNG.poisson(np.exp(SUM)),
    "positive_amounts": np.exp(SUM),
    "quantiles": 3 * SUM,
}


def fitted(task="classes", x=X, max_epochs=4, **given):
    kind = TabularClassifier if "classes" in task else TabularRegressor
    model = kind(
        task=task, hidden_layer_sizes=(8,), ensemble=2, max_epochs=max_epochs, learning_rate=0.02, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(x, LABELS[task], **given)


def answers(model, rows=X):
    return model.predict_proba(rows) if hasattr(model, "predict_proba") else model.predict(rows)


@pytest.mark.every(5)
@pytest.mark.parametrize("task", LABELS)
@pytest.mark.parametrize(("removal", "columns"), [("expected", ["race", "income"]), ("average", ["race"])])
def test_limited_columns_have_no_influence_whatever_the_task(task, removal, columns, tmp_path):
    model = fitted(task)
    limited = model.limit_influence(columns, removal=removal)
    others = X.assign(**{column: X[column].to_numpy()[::-1] for column in columns})
    assert (answers(limited, others) == answers(limited)).all()
    assert (answers(model, others) != answers(model)).any()
    assert limited.limited_.share_after == 0 < limited.limited_.share_before
    assert {proxy.name for proxy in limited.limited_.proxies} == set(columns)
    assert (limited.explain(X[:3])[columns].abs() < 1e-6).all(axis=None)
    limited.save(tmp_path / "kept")
    again = type(model).load(tmp_path / "kept")
    assert (answers(again) == answers(limited)).all()
    assert again.limited_ == limited.limited_ and str(again.limited_) == str(limited.limited_)
    assert not hasattr(model, "limited_")


def test_a_share_bounds_the_explanation():
    model = fitted()
    limited = model.limit_influence("race", share=0.01)
    assert limited.limited_.share_before > 0.012
    assert limited.limited_.share_after == pytest.approx(0.01, abs=0.001)


def test_a_limit_follows_a_correction_and_is_measured_by_group_on_rows_that_are_named():
    corrected = fitted(sensitive_features=X.race).correct([Feedback("income", scope="dataset")], epochs=1)
    rows = {"X": X[:60], "y": LABELS["classes"][:60], "sensitive_features": X.race[:60]}
    limited = corrected.limit_influence("race", **rows)
    assert limited.verdict_ == corrected.verdict_
    found = {measured.metric: measured for measured in limited.limited_.before}
    assert found["accuracy"].value == pytest.approx(corrected.score(rows["X"], rows["y"]))
    assert "group_prob_gap" in found
    with pytest.raises(DataError, match="the influence of race is limited already; correct first, then limit"):
        limited.correct([Feedback("income", scope="dataset")])
    with pytest.raises(RecipeError, match="limited already; name all of them together"):
        limited.limit_influence("income")


def test_what_cannot_be_limited_is_refused_in_one_line(tmp_path):
    model = fitted()
    with pytest.raises(FeedbackError, match="unknown feature 'rase': did you mean 'race'"):
        model.limit_influence("rase")
    model.save(tmp_path / "kept")
    for without_rows in (TabularClassifier.load(tmp_path / "kept"), pickle.loads(pickle.dumps(model))):  # noqa: S301
        with pytest.raises(DataError, match="loaded or unpickled, and holds no rows to limit it on; fit it here"):
            without_rows.limit_influence("race")
    for with_rows in (copy.copy(model), copy.deepcopy(model)):
        assert with_rows.limit_influence("race").limited_.share_after == 0
