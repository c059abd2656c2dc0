"""Leaves add up to what the model predicts, also for empty cells, thresholds in float32 and ties."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.explanations.counterfactuals.trees_reading import leaves_of
from corrigible.explanations.counterfactuals.trees_wishes import check_wish, wanted_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)).round(1)
EMPTY = np.where(RNG.random(X.shape) < 0.15, np.nan, X)
SCORE = X[:, 0] + X[:, 1] * X[:, 2] + RNG.normal(size=200) / 4
CLASSES = np.array(["a", "b", "c"])[np.digitize(SCORE, [-0.4, 0.6])]


def sums(model, x):
    leaves = leaves_of(model)
    met = np.array([leaves.met(row, np.arange(4)) for row in x])
    assert (met.sum(axis=1) == leaves.tree[-1] + 1).all()  # Each tree has one leaf for a row.
    return leaves, leaves.start + met @ leaves.value


@pytest.mark.parametrize(
    ("model", "x"),
    [
        (DecisionTreeRegressor(random_state=0), X),
        (DecisionTreeRegressor(random_state=0), EMPTY),
        (ExtraTreesRegressor(5, random_state=0), X),
        (GradientBoostingRegressor(n_estimators=5, random_state=0), X),
        (GradientBoostingRegressor(n_estimators=5, init="zero", random_state=0), X),
        (HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=5), EMPTY),
    ],
)
def test_leaves_add_up_to_a_regression(model, x):
    _, found = sums(model.fit(x, SCORE), x)
    np.testing.assert_allclose(found[:, 0], model.predict(x), rtol=1e-10)


def test_leaves_add_up_to_the_logarithm_of_a_count():
    model = HistGradientBoostingRegressor(loss="poisson", max_iter=5, min_samples_leaf=5).fit(EMPTY, SCORE**2)
    leaves, found = sums(model, EMPTY)
    assert leaves.decision == "exponential"
    np.testing.assert_allclose(np.exp(found[:, 0]), model.predict(EMPTY), rtol=1e-10)


@pytest.mark.parametrize("x", [X, EMPTY])
def test_leaves_add_up_to_probabilities_of_a_forest(x):
    model = RandomForestClassifier(5, max_depth=4, random_state=0).fit(x, CLASSES)
    np.testing.assert_allclose(sums(model, x)[1], model.predict_proba(x), atol=1e-12)


@pytest.mark.parametrize("y", [CLASSES, CLASSES == "a"])
@pytest.mark.parametrize(
    "model",
    [
        GradientBoostingClassifier(n_estimators=5, random_state=0),
        HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5),
    ],
)
def test_leaves_add_up_to_the_scores_of_boosting(model, y):
    _, found = sums(model.fit(X, y), X)
    np.testing.assert_allclose(found.squeeze(), model.decision_function(X), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("y", [CLASSES, CLASSES == "a"])
@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(max_depth=3),
        RandomForestClassifier(5, max_depth=3, random_state=0),
        GradientBoostingClassifier(n_estimators=5, random_state=0),
        HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5),
    ],
)
def test_a_class_is_predicted_where_its_sums_reach_what_they_need(model, y):
    model.fit(X, y)
    leaves, predicted = leaves_of(model), model.predict(X)
    met = np.array([leaves.met(row, np.arange(4)) for row in X])
    for label in model.classes_:
        (wanted,) = wanted_of(leaves, label, None, None)
        reached = (met @ wanted.weight.T >= wanted.needed - 1e-12).all(axis=1)
        np.testing.assert_array_equal(reached, predicted == label)


def test_a_value_is_compared_in_the_precision_of_the_model():
    x = np.array([[0.0], [1.0]])
    tree = leaves_of(DecisionTreeClassifier().fit(x, [0, 1]))
    boosting = leaves_of(
        HistGradientBoostingClassifier(max_iter=1, min_samples_leaf=1).fit(np.repeat(x, 9, 0), [0, 1] * 9)
    )
    above = np.array([np.nextafter(0.5, 1)])  # In float32 this is 0.5 itself.
    assert tree.met(above, np.arange(1)).tolist() == [True, False]
    assert boosting.precision is np.float64


def test_a_threshold_at_infinity_parts_empty_cells_from_numbers():
    x = np.array([[np.nan]] * 20 + [[1.0], [2.0]] * 10)
    model = HistGradientBoostingClassifier(max_iter=1, min_samples_leaf=1, max_depth=1).fit(x, [0] * 20 + [1] * 20)
    leaves = leaves_of(model)
    assert np.isposinf(leaves.high).any() and np.isposinf(leaves.low).any()
    for row in ([np.nan], [1e9], [-1e9]):
        met = leaves.met(np.array(row), np.arange(1))
        assert (leaves.start + met @ leaves.value)[0] == pytest.approx(model.decision_function([row])[0])


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (LogisticRegression().fit(X, CLASSES), "the model is a LogisticRegression; expected one of"),
        (AdaBoostClassifier(n_estimators=2).fit(X, CLASSES), "the model is a AdaBoostClassifier"),
        (DecisionTreeClassifier(), "this DecisionTreeClassifier is not fitted; call its fit first"),
        (DecisionTreeRegressor().fit(X, X[:, :2]), "the model predicts 2 labels for a row; expected one"),
        (
            GradientBoostingClassifier(n_estimators=2, init=LogisticRegression()).fit(X, CLASSES),
            "boosting begins with a LogisticRegression of its own",
        ),
        (
            HistGradientBoostingRegressor(max_iter=2, categorical_features=[0]).fit(X.round() + 9, SCORE),
            "the model splits categories itself",
        ),
    ],
)
def test_other_models_are_refused_in_one_line(model, said):
    with pytest.raises(UnsupportedModelError, match=said):
        leaves_of(model)


def test_boosting_that_begins_with_a_constant_of_the_users_is_read():
    model = GradientBoostingClassifier(n_estimators=2, init=DummyClassifier(), random_state=0).fit(X, CLASSES == "a")
    np.testing.assert_allclose(sums(model, X)[1][:, 0], model.decision_function(X))


@pytest.mark.parametrize(
    ("model", "wish", "error", "said"),
    [
        ("classes", {"below": 1.0}, RecipeError, "the model predicts classes"),
        ("classes", {"target": "z"}, DataError, "target is 'z'; expected one of the model's classes: a, b, c"),
        ("numbers", {"target": "a"}, RecipeError, "target is 'a', and the model predicts a number"),
        ("numbers", {}, RecipeError, "the model predicts a number; say below"),
        ("numbers", {"below": 1.0, "above": 2.0}, RecipeError, "no number is above 2 and below 1"),
    ],
)
def test_a_wish_that_does_not_fit_is_refused(model, wish, error, said):
    fitted = {"classes": DecisionTreeClassifier().fit(X, CLASSES), "numbers": DecisionTreeRegressor().fit(X, SCORE)}
    with pytest.raises(error, match=said):
        check_wish(leaves_of(fitted[model]), wish.get("target"), wish.get("below"), wish.get("above"))
