"""What the estimators do beyond scikit-learn: explain, correct, measure, seal, save; and how they learn."""

import doctest
import json
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import corrigible
from corrigible import Feedback, TabularClassifier, TabularRegressor
from corrigible.errors import DataError, FeedbackError

N = 240
RNG = np.random.default_rng(0)
ILL = np.arange(N) % 2
X = pd.DataFrame(
    {
        "age": RNG.normal(50, 8, N) + 6 * ILL,
        "ward": np.where(ILL == 1, "A", "B"),
        "smoker": np.where(RNG.random(N) < 0.5, "yes", "no"),
    }
)
Y = np.where(ILL == 1, "ill", "well")
RULE = [Feedback("ward", scope="dataset")]


def fitted(kind=TabularClassifier, x=X, y=Y, *, sample_weight=None, exposure=None, **params):
    params = {"hidden_layer_sizes": (32,), "ensemble": 2, "max_epochs": 8, "learning_rate": 0.02, **params}
    params = {"random_state": 0, **params}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return kind(**params).fit(x, y, sample_weight=sample_weight, exposure=exposure)


@pytest.fixture(scope="module")
def model():
    return fitted()


@pytest.fixture(scope="module")
def corrected(model):
    return model.correct(RULE, epochs=6)


def test_a_category_is_one_feature_of_an_explanation(model):
    rows = X.iloc[[5, 2]]
    found = model.explain(rows)
    assert found.columns.tolist() == list(X.columns) and found.index.tolist() == [5, 2]
    assert found.abs().mean().idxmax() == "ward" and (found.ward > 0).all()
    assert (model.explain(rows, ["well", "ill"]).ward < 0).all()
    with pytest.raises(DataError, match="y holds 'dead', which training lacks; it has ill, well"):
        model.explain(rows, ["well", "dead"])


def test_a_correction_is_a_copy_with_a_verdict(model, corrected):
    assert corrected.verdict_.outcome == "corrected" and not hasattr(model, "verdict_")
    before, after = (found.explain(X).ward.abs().mean() for found in (model, corrected))
    assert after < before / 5
    assert model.correct(RULE, epochs=6).predict_proba(X).tolist() == corrected.predict_proba(X).tolist()


def test_to_fit_with_feedback_is_to_fit_and_correct(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        both = clone(model).fit(X[:32], Y[:32], feedback=RULE)
    after = fitted(x=X[:32], y=Y[:32]).correct(RULE)
    assert (both.predict_proba(X) == after.predict_proba(X)).all() and both.verdict_ == after.verdict_


def test_feedback_names_the_rows_that_were_given(model):
    weight = np.ones(N)
    weight[:3] = 0
    without = fitted(sample_weight=weight)
    assert without._rows.places[0] == 3
    rows = [Feedback("ward", row=row) for row in range(3, 43)]
    assert without.correct(rows, epochs=1).verdict_ is not None
    with pytest.raises(FeedbackError, match="about row 2, which was not learned from"):
        without.correct([Feedback("ward", row=2)])


def test_measurements_are_of_groups_too_and_predictions_need_none(model):
    metrics = ["accuracy", "macro_group_accuracy"]
    found = model.evaluate(X, Y, sensitive_features=X.smoker, metrics=metrics, num_resamples=0)
    assert [measured.value for measured in found] == [1.0, 1.0]
    assert found == corrigible.evaluate(
        model.network_, model._rows.data, metrics=["accuracy"], num_resamples=0
    ) + model.evaluate(X, Y, sensitive_features=X.smoker, metrics=metrics[1:], num_resamples=0)


def test_a_weight_of_two_is_the_row_twice_and_order_does_not_matter(model):
    weight = np.arange(N) % 3
    weighted = fitted(sample_weight=weight, max_epochs=3).predict_proba(X)
    twice = np.random.default_rng(1).permutation(np.repeat(np.arange(N), weight))
    repeated = fitted(x=X.iloc[twice], y=Y[twice], max_epochs=3).predict_proba(X)
    assert (weighted == repeated).all()
    assert (weighted != model.predict_proba(X)).any()


def test_a_heavy_row_counts_by_its_weight():
    x, y = np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0, 1, 0, 1])
    chances = fitted(
        x=x, y=y, sample_weight=[9.0, 1.0, 1.0, 1.0], max_epochs=120, patience=120, learning_rate=0.05
    ).predict_proba(x)
    np.testing.assert_allclose(chances[[0, 2], 1], [0.1, 0.5], atol=0.1)


def test_rows_are_held_out_if_there_are_enough():
    held = fitted(max_epochs=2)
    assert len(held.validation_loss_curve_) == held.n_iter_ == 2
    assert fitted(max_epochs=1, validation_fraction=0.0).validation_loss_curve_ == []
    assert fitted(max_epochs=1, x=X[:100], y=Y[:100]).validation_loss_curve_ == []


def test_training_that_ends_too_early_is_told():
    with pytest.warns(ConvergenceWarning, match="the loss was still falling after 1 epochs"):
        TabularClassifier(max_epochs=1, random_state=0).fit(X, Y)


@pytest.mark.parametrize("write", ["save", "seal"])
def test_what_was_written_predicts_alike(write, corrected, tmp_path):
    getattr(corrected, write)(tmp_path / "model")
    found = TabularClassifier.load(tmp_path / "model")
    assert (found.predict_proba(X) == corrected.predict_proba(X)).all() and found.verdict_ == corrected.verdict_
    assert found.get_params() == corrected.get_params() and found.classes_.tolist() == ["ill", "well"]
    assert found.explain(X.head(2)).equals(corrected.explain(X.head(2)))
    with pytest.raises(DataError, match="holds no rows to correct it on; fit it here"):
        found.correct(RULE)
    with pytest.raises(DataError, match="holds a TabularClassifier; load it by TabularClassifier.load"):
        TabularRegressor.load(tmp_path / "model")


def test_a_sealed_estimator_is_verified(corrected, tmp_path):
    measured = corrected.evaluate(X, Y, metrics=["accuracy"], num_resamples=0)
    manifest = corrected.seal(tmp_path / "sealed", evidence=measured)
    assert corrigible.verify(tmp_path / "sealed", root=manifest.root).ok
    assert {"estimator.json", "model.safetensors", "measurements.json"} <= set(manifest.files)


def test_a_file_names_no_network_of_somebody_else(corrected, tmp_path):
    corrected.save(tmp_path / "model")
    path = tmp_path / "model" / "estimator.json"
    written = json.loads(path.read_text())
    path.write_text(json.dumps({**written, "params": {**written["params"], "trees": 9}}))
    with pytest.raises(DataError, match="holds the unknown parameters trees"):
        TabularClassifier.load(tmp_path / "model")
    written["network"]["name"] = "os:getcwd"
    path.write_text(json.dumps(written))
    with pytest.raises(DataError, match="the network 'os:getcwd' is unknown"):
        TabularClassifier.load(tmp_path / "model")
    written["network"]["name"] = "tabm"
    for part, value, said in (
        ("task", "weather", "weather"),
        ("network", {**written["network"], "settings": {"hidden": [4], "members": -1}}, "members"),
        ("names", ["age", "other"], "are not those of the encoder"),
    ):
        path.write_text(json.dumps({**written, part: value}))
        with pytest.raises(DataError, match=rf"is not as `save` wrote it \(.*{said}"):
            TabularClassifier.load(tmp_path / "model")
    path.write_text("{}")
    with pytest.raises(DataError, match="is not as `save` wrote it"):
        TabularClassifier.load(tmp_path / "model")
    with pytest.raises(DataError, match="cannot read .*expected what `save` writes"):
        TabularClassifier.load(tmp_path / "nothing")


def test_no_rows_are_pickled(model):
    found = pickle.loads(pickle.dumps(model))  # noqa: S301 - written by the line itself
    assert (found.predict(X) == model.predict(X)).all() and not hasattr(found, "_rows")


AMOUNTS = 100 + 20 * X.age.to_numpy()


@pytest.mark.parametrize(
    ("task", "y", "shape"),
    [
        pytest.param("amounts", AMOUNTS, (N,), marks=pytest.mark.slow),
        ("counts", np.round(X.age.to_numpy() / 10), (N,)),
        pytest.param("positive_amounts", AMOUNTS, (N,), marks=pytest.mark.slow),
        pytest.param({"name": "quantiles", "levels": [0.5]}, AMOUNTS, (N,), marks=pytest.mark.slow),
        pytest.param({"name": "quantiles", "levels": [0.1, 0.9]}, AMOUNTS, (N, 2), marks=pytest.mark.slow),
    ],
)
def test_numbers_of_several_tasks(task, y, shape, tmp_path):
    found = fitted(TabularRegressor, y=y, task=task, max_epochs=20)
    assert found.predict(X).shape == shape and found.score(X, y) > 0.5
    assert found.explain(X.head(4)).abs().mean().idxmax() == "age"
    assert all(measured.value is not None or measured.note for measured in found.evaluate(X, y, num_resamples=0))
    found.save(tmp_path / "model")
    assert (TabularRegressor.load(tmp_path / "model").predict(X) == found.predict(X)).all()


@pytest.mark.slow
def test_counts_are_per_unit_of_exposure():
    years = np.tile([1.0, 4.0], N // 2)
    found = fitted(TabularRegressor, y=2 * years, task="counts", exposure=years, max_epochs=15)
    np.testing.assert_allclose(found.predict(X), 2, rtol=0.1)
    assert found.score(X, 2 * years, exposure=years) > 0.9
    for measure in (found.score, found.evaluate):
        with pytest.raises(DataError, match="the training rows had an exposure; give that of these rows too"):
            measure(X, 2 * years)


def test_ordered_classes_have_probabilities():
    level = np.digitize(X.age, [45, 55])
    found = fitted(y=level, task="ordered_classes", max_epochs=15)
    np.testing.assert_allclose(found.predict_proba(X).sum(axis=1), 1)
    assert found.score(X, level) > 0.8 and found.explain(X.head(4)).abs().mean().idxmax() == "age"


@pytest.mark.slow
@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_the_example_of_the_documentation_runs(kind):
    finder = doctest.DocTestFinder(recurse=False)
    (example,) = finder.find(kind, kind.__name__, globs={})
    assert example.examples and doctest.DocTestRunner().run(example).failed == 0


def test_a_second_correction_keeps_to_what_the_first_was_told(corrected):
    again = corrected.correct([Feedback("smoker", scope="dataset")], epochs=4)
    assert [said.region.names for said in again._said] == [("ward",), ("smoker",)]
    shares = again.explain(X).abs().mean()
    assert shares["ward"] < 0.2 * shares["age"]


def test_labels_that_would_be_taken_otherwise_than_meant_are_refused():
    level = pd.Categorical(np.where(ILL == 1, "high", "low"), ["low", "high"], ordered=True)
    with pytest.raises(DataError, match="y is ordered low < high, and classes are taken in the order high, low"):
        fitted(y=pd.Series(level))
    with pytest.raises(DataError, match="y holds values of datetime64"):
        fitted(TabularRegressor, y=pd.Series(pd.date_range("2026-01-01", periods=N)))
    with pytest.raises(DataError, match="y holds what is no number"):
        fitted(TabularRegressor, y=Y)
