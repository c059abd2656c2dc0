"""Estimators as students of models without gradients."""

import warnings
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from corrigible import Feedback, TabularClassifier, TabularRegressor
from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.estimators.given_rows import given_rows
from corrigible.estimators.students import taught
from corrigible.models import mlp

RNG = np.random.default_rng(0)
N = 240
X = pd.DataFrame({"size": 1000 * RNG.normal(size=N), "race": RNG.choice(["b", "w"], N)})
TRUE = (X["size"] > 0) ^ (X.race == "b")
NOISY = np.where(RNG.random(N) < 0.2, ~TRUE, TRUE)
Y = np.where(NOISY, "yes", "no")


def chance(rows):
    """A teacher: the probability of class 1."""
    return np.where((rows["size"] > 0) ^ (rows.race == "b"), 0.9, 0.2)


def student(kind=TabularClassifier, y=Y, x=X, **given):
    params = {"hidden_layer_sizes": (16,), "ensemble": 2, "max_epochs": 25, "learning_rate": 0.02, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kind(**params).fit(x, y, **given)


def test_a_student_predicts_what_its_teacher_says_rather_than_the_labels():
    found = student(teacher=chance)
    assert found.classes_.tolist() == ["no", "yes"]
    assert np.abs(found.predict_proba(X)[:, 1] - chance(X)).mean() < 0.05
    assert np.abs(found.predict_proba(X)[:, 1] - chance(X)).mean() < np.abs(NOISY - chance(X)).mean() / 3


@pytest.mark.slow
def test_rows_without_labels_teach_too():
    forest = make_pipeline(OrdinalEncoder(), RandomForestClassifier(10, min_samples_leaf=20, random_state=0)).fit(X, Y)
    found = student(y=None, teacher=forest)
    assert found.classes_.tolist() == ["no", "yes"]
    assert (found.predict(X) == forest.predict(X)).mean() > 0.95
    assert student(y=None, teacher=chance).classes_.tolist() == [0, 1]
    with pytest.raises(DataError, match="y is None; give y, or teacher="):
        student(y=None)


@pytest.mark.slow
def test_a_corrected_student_still_learns_from_its_teacher():
    found = student(teacher=chance)
    corrected = found.correct([Feedback("race", scope="dataset")], epochs=5)
    flipped = X.assign(race=np.where(X.race == "b", "w", "b"))
    moved = [np.abs(m.predict_proba(flipped) - m.predict_proba(X)).mean() for m in (found, corrected)]
    assert moved[1] < moved[0] / 5
    # Half of each kind of row is of either race: without race, the mean of what the teacher says remains.
    assert corrected.predict_proba(X)[:, 1].mean() == pytest.approx(0.55, abs=0.1)


@pytest.mark.slow
def test_weights_are_of_rows_that_the_teacher_is_asked_about():
    asked = []

    def teacher(rows):
        asked.append(len(rows))
        return chance(rows)

    weight = np.where(np.arange(N) < 40, 0.0, 1.0)
    found = student(teacher=teacher, sample_weight=weight)
    assert asked == [N - 40]
    part = student(teacher=chance, x=X[40:], y=Y[40:])
    assert (found.predict_proba(X) == part.predict_proba(X)).all()


@pytest.mark.slow
def test_of_counts_a_teacher_says_the_rate_per_unit_of_exposure():
    years = RNG.uniform(0.5, 2, N)
    claims = RNG.poisson(years * 2)
    found = student(TabularRegressor, claims.astype(float), teacher=lambda rows: np.full(len(rows), 3.0))
    assert found.predict(X) == pytest.approx(np.full(N, 3.0), rel=0.1)
    rates = TabularRegressor(task="counts", ensemble=2, max_epochs=20, learning_rate=0.02, random_state=0)
    rates.fit(X, claims, exposure=years, teacher=lambda rows: np.full(len(rows), 3.0))
    assert rates.predict(X) == pytest.approx(np.full(N, 3.0), rel=0.1)


@pytest.mark.slow
def test_a_regressor_learns_from_boosting():
    y = X["size"].abs()
    boosting = HistGradientBoostingRegressor(categorical_features=["race"], random_state=0).fit(X, y)
    found = student(TabularRegressor, None, teacher=boosting)
    assert np.corrcoef(found.predict(X), boosting.predict(X))[0, 1] > 0.98


def test_without_counts_a_teacher_of_means_is_refused_and_its_means_alone_can_be_learned():
    with pytest.raises(DataError, match="y is None, and of counts a teacher predicts means; give y, or choose task="):
        TabularRegressor(task="counts").fit(X, teacher=chance)
    found = student(partial(TabularRegressor, task="positive_amounts"), None, teacher=chance)
    assert found.predict(X).sum() == pytest.approx(chance(X).sum(), rel=1e-4)
    assert np.corrcoef(found.predict(X), chance(X))[0, 1] > 0.9


def test_a_teacher_that_predicts_nothing_or_breaks_is_refused_in_one_line():
    nothing = type("Nothing", (), {"predict": lambda self, rows: None})()
    with pytest.raises(UnsupportedModelError, match=r"predict gives shape \(\) for 240 rows; expected a label of each"):
        TabularRegressor().fit(X, teacher=nothing)
    with pytest.raises(UnsupportedModelError, match="the teacher fails"):
        TabularRegressor().fit(X, teacher=lambda rows: 1 / 0)


def test_teachers_that_do_not_fit_are_refused_in_one_line():
    with pytest.raises(UnsupportedModelError, match="the teacher is a network, which reads encoded rows"):
        student(teacher=mlp(2, 2))
    with pytest.raises(UnsupportedModelError, match="expected probabilities that sum to 1"):
        student(teacher=lambda rows: np.ones((len(rows), 2)))
    with pytest.raises(RecipeError, match="no quantiles; expected task='amounts'"):
        TabularRegressor(task="quantiles").fit(X, X["size"], teacher=chance)


class OfClasses:
    """A teacher with probabilities of the classes that it names."""

    def __init__(self, classes, probs):
        self.classes_, self.probs = np.array(classes), probs

    def predict_proba(self, rows):
        return self.probs[: len(rows)]


def said(y, classes, probs):
    """What a teacher says of the classes of y, as probabilities."""
    names, codes = np.unique(y, return_inverse=True)
    rows = given_rows(X[: len(y)], codes)
    rows = replace(rows, class_names=tuple(map(str, names)))
    found = taught(rows, OfClasses(classes, np.array(probs)), X[: len(y)], np.arange(len(y)), "classes")
    return np.exp(found.taught).round(3).tolist()


def test_a_teachers_classes_are_found_as_numbers_of_any_type_and_never_counted_twice():
    probs = [[0.25, 0.75]] * 3
    assert said([1, 2, 3], [1.0, 2.0], probs)[0] == [0.25, 0.75, 0]
    assert said([False, True, True], [0, 1], probs)[0] == [0.25, 0.75]
    assert said([0, 1, 1], [False, True], probs)[0] == [0.25, 0.75]
    assert said(["a", "b", "b"], ["b", "a"], np.array(probs)[:, ::-1])[0] == [0.25, 0.75]
    with pytest.raises(UnsupportedModelError, match="the teacher's classes are 0, 1; expected class numbers"):
        said([1, 2, 2], [0, 1], probs)  # 1 is the name of the first class, and would be its second place too.


@pytest.mark.parametrize(
    ("teacher", "told"),
    [
        (5, "the teacher is of type int; expected a network"),
        (TabularClassifier, "the teacher fails"),
        (TabularClassifier(), "the teacher fails .*not fitted"),
        (lambda rows: None, r"gives what is no number|gives shape \(\)"),
        (lambda rows: rows.race, "gives what is no number"),
        (lambda rows: rows["size"] * np.nan, "gives NaN or infinite numbers"),
        (lambda rows: chance(rows)[:9], r"gives shape \(9,\) for 240 rows"),
        (lambda rows: 3 + chance(rows), "expected probabilities"),
    ],
)
@pytest.mark.parametrize("y", [Y, None])
def test_answers_that_do_not_fit_are_refused_with_labels_and_without(teacher, told, y):
    if y is not None and isinstance(teacher, type):
        told = "the teacher is the class"
    with pytest.raises(UnsupportedModelError, match=told):
        TabularClassifier().fit(X, y, teacher=teacher)


@pytest.mark.parametrize(("task", "rate"), [("counts", -1.0), ("counts", 0.0), ("positive_amounts", 0.0)])
def test_means_below_zero_or_all_zero_are_refused(task, rate):
    with pytest.raises(UnsupportedModelError, match="expected numbers (at least 0, and one above|above 0)"):
        TabularRegressor(task=task).fit(X, np.arange(N) + 1, teacher=lambda rows: np.full(len(rows), rate))
