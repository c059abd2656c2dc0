"""How answers are read is decided once: amounts, labels or probabilities; the rest is refused in one line."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
from sklearn.svm import LinearSVC

from corrigible import discrimination_free_price
from corrigible.auditing.jumps import breaches
from corrigible.auditing.subject import subject_of
from corrigible.errors import DataError, UnsupportedModelError

AGE = np.arange(20.0, 60.0)
X = pd.DataFrame({"age": AGE, "km": AGE % 7})
Y = pd.Series((AGE % 3 == 0).astype(int))


def read(model, y=Y, **how):
    return subject_of(model, X, y, lambda rows: rows, **how)


def test_an_exposure_or_a_regressor_means_amounts():
    rate = lambda rows: rows.age / 100  # noqa: E731
    assert read(rate).classes == (0, 1)
    assert read(rate, has_exposure=True).classes == ()
    for model in (PoissonRegressor().fit(X, Y), LinearRegression().fit(X, Y)):
        assert read(model).classes == ()
    priced = LinearRegression().fit(X, Y)
    assert read(discrimination_free_price(priced, X, attributes="km")).classes == ()
    assert read(LogisticRegression().fit(X, Y)).classes == (0, 1)
    for model, y in ((LogisticRegression().fit(X, Y), Y), (rate, Y.map({0: "no", 1: "yes"}))):
        with pytest.raises(DataError, match="exposure is given, and"):
            read(model, y, has_exposure=True)


@pytest.mark.parametrize(
    ("model", "y", "words"),
    [
        (lambda rows: (rows.age - 40) / 10, Y, r"predicts −2 to 1.9, y holds '0', '1'; expected labels or prob"),
        (lambda rows: 100 + rows.age, 100 + 50 * Y, "of amounts a regressor or their exposure"),
        (lambda rows: 1 + rows.km // 3, Y + 1, "predicts 1 to 3, y holds '1', '2'"),
        (lambda rows: np.ones(len(rows)), Y + 1, "may be labels or probabilities"),
        (lambda rows: np.full((len(rows), 2), 0.7), Y, "sum to 1.4; expected 1"),
        (lambda rows: np.full((len(rows), 2), [1.5, -0.5]), Y, "predicts −0.5 to 1.5; expected probabilities"),
        (lambda rows: None, Y, r"answers with a NoneType; expected an array of shape \(40,\)"),
        (lambda rows: {"a": 1}, AGE, "answers with a dict"),
        (lambda rows: 3.0, AGE, "answers with a float"),
        (lambda rows: rows.age.astype(str), AGE, "predicts '20.0'; expected numbers"),
    ],
)
def test_other_answers_are_refused(model, y, words):
    with pytest.raises(UnsupportedModelError, match=words) as caught:
        read(model, pd.Series(y)).checked(X)
    assert "\n" not in str(caught.value)


def test_labels_of_several_kinds_are_refused():
    with pytest.raises(DataError, match="y holds values of the kinds int, str"):
        read(lambda rows: rows.age, pd.Series([1, "a"] * 20, dtype=object))


def test_each_batch_is_read_as_all_rows_are():
    """Of the classes 1 and 2 a batch of probabilities 1 is no batch of labels 1."""
    step = read(lambda rows: (rows.age > 40).astype(float), Y + 1)
    assert (step.scores(X[X.age > 50]) == 1).all() and (step.scores(X[X.age < 30]) == 0).all()
    (broken,) = breaches({"age": -1}, step, X, 0)
    assert broken.share == 1
    labels = read(LinearSVC().fit(X, Y + 1), Y + 1)
    assert set(labels.scores(X)[:, 0]) <= {0.0, 1.0} and labels.reading.form == "labels"
    changing = read(lambda rows: np.full(len(rows), 0.5) if len(rows) == 40 else np.full((len(rows), 2), 0.5))
    with pytest.raises(UnsupportedModelError, match="before, one probability per row"):
        changing.scores(X[:9])


def test_a_model_may_write_into_the_rows_it_is_given():
    def spoiling(rows):
        rows["age"] = rows["age"] / 100
        del rows["km"]
        return rows["age"]

    before = X.copy()
    subject = read(spoiling, pd.Series(AGE))
    assert (subject.checked(X) == subject.checked(X)).all()
    pd.testing.assert_frame_equal(X, before)
    array = subject_of(
        lambda x: np.multiply(x, 0, out=x)[:, 0], X, pd.Series(AGE), lambda rows: rows.to_numpy(copy=True)
    )
    assert (array.checked(X) == 0).all() and X.age.max() > 0
