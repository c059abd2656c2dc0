"""Prices: what cannot be averaged or balanced is refused in one line, and a model gets a copy in the user's form."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from corrigible import discrimination_free_price, price_changes
from corrigible.errors import DataError, UnsupportedModelError

X = pd.DataFrame({"age": np.arange(40.0), "sex": [0, 1] * 20})
LABELS = (X.age > 12).astype(int)


def rate(rows):
    return 1 + rows["age"] + rows["sex"]


def failing(rows):
    return 1 / 0


def test_a_price_of_0_is_scaled_and_stays_0():
    price = discrimination_free_price(lambda rows: rows.age * (1 + rows.sex), X, attributes="sex", y=X.age / 3)
    assert price.balance.kind == "factor" and price.prices.min() == 0
    assert price.prices.sum() == pytest.approx((X.age / 3).sum())
    with pytest.raises(DataError, match=r"no factor brings prices of mean 20.49 to a mean of 0; expected"):
        discrimination_free_price(rate, X[:-1], attributes="sex", y=np.zeros(39))


def test_classes_need_probabilities_and_labels_of_every_class():
    with pytest.raises(UnsupportedModelError, match="LinearSVC has no probabilities to average"):
        discrimination_free_price(LinearSVC().fit(X, LABELS), X, attributes="sex")
    model = LogisticRegression().fit(X, LABELS)
    with pytest.raises(DataError, match="class 0 cannot be balanced: its mean probability is"):
        discrimination_free_price(model, X, attributes="sex", y=np.ones(40, int))
    with pytest.raises(DataError, match=r"y has shape \(39,\); expected one class for each of the 40 rows"):
        discrimination_free_price(model, X, attributes="sex", y=LABELS[1:])


@pytest.mark.parametrize("attributes", [np.array(["sex"]), pd.Index(["sex"]), ("sex",), "sex"])
def test_attributes_are_any_list_of_columns(attributes):
    assert discrimination_free_price(rate, X, attributes=attributes).attributes.names == ("sex",)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"attributes": {"sex"}}, "attributes is {'sex'}; expected columns of X as a list"),
        ({"attributes": [["sex"]]}, "expected columns of X as a list, each once"),
        ({"attributes": ["sex", "sex"]}, "each once"),
        ({"attributes": "age", "values": []}, r"values is \[\]; expected {attribute: its values}"),
        ({"attributes": "age", "values": {"age": []}}, "values of 'age' has shape"),
    ],
)
def test_other_attributes_are_refused(how, words):
    with pytest.raises(DataError, match=words):
        discrimination_free_price(rate, X, **how)


def test_whatever_a_model_raises_is_said_in_one_line():
    with pytest.raises(UnsupportedModelError, match="the model fails on the rows .ZeroDivisionError: division by zero"):
        discrimination_free_price(failing, X, attributes="sex")


def test_a_model_may_write_into_the_rows():
    def spoiling(rows):
        rows["age"] /= 100
        return rows["age"] + rows["sex"]

    before = X.copy()
    price = discrimination_free_price(spoiling, X, attributes="sex")
    assert np.allclose(price.prices, X.age / 100 + 0.5)
    pd.testing.assert_frame_equal(X, before)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_a_model_gets_the_frame_of_the_users_library(library):
    table = {"polars": "DataFrame", "pyarrow": "table"}[library]
    given = getattr(pytest.importorskip(library), table)(X.assign(town=["b", "k"] * 20).to_dict(orient="list"))

    def asked(rows):
        assert type(rows) is type(given) and rows.schema == given.schema
        return np.asarray(rows["age"]) + np.asarray(rows["sex"])

    assert np.allclose(discrimination_free_price(asked, given, attributes="sex").prices, X.age + 0.5)


def test_a_change_of_just_the_share_is_not_more_than_it():
    for factor in (1.1, 0.9):
        found = price_changes(np.full(12, 100.0), np.full(12, 100.0) * factor, ["f", "m"] * 6, num_resamples=0).total
        assert (found.more.value, found.less.value) == (0, 0)
    for more_than in ("a", None, True, float("nan"), float("inf"), -1):
        with pytest.raises(DataError, match="expected a share of at least 0, such as"):
            price_changes([1, 2], [2, 1], ["f", "m"], more_than=more_than)
