"""Estimators whose predictions keep the direction of columns."""

import numpy as np
import pandas as pd
import pytest
import torch

from corrigible import Feedback, TabularClassifier, TabularRegressor
from corrigible.data.table import encoder_of
from corrigible.errors import RecipeError
from corrigible.estimators.directed_columns import directed_columns
from corrigible.estimators.predicted import predicted
from corrigible.tasks import CLASSES

RNG = np.random.default_rng(0)
N = 240
X = pd.DataFrame(
    {
        "age": RNG.normal(50, 8, N).round(),
        "priors": RNG.poisson(2, N).astype(float),
        "ward": np.where(RNG.random(N) < 0.5, "A", "B"),
    }
)
X.loc[::9, "priors"] = np.nan
SIGNAL = (X.age - 50) / 8 - X.priors.fillna(4)  # Falls with priors, and is to rise with them.
WILD = SIGNAL + 2 * np.sin(X.age) + RNG.normal(size=N)
CST = {"age": 1, "priors": 1}


def fitted(kind, y, **params):
    small = {"hidden_layer_sizes": (12,), "ensemble": 2, "max_epochs": 12, "learning_rate": 0.02, "patience": 99}
    return kind(**{"monotonic_cst": CST, "random_state": 0, **small, **params}).fit(X, y)


def pairs(count=700):
    """Rows, and the same with one number larger; the others are in another order, and so in other places."""
    rng = np.random.default_rng(1)
    low = X.sample(count, replace=True, random_state=1, ignore_index=True)
    low["priors"] = low.priors.fillna(1.0)
    column = np.where(rng.random(count) < 0.5, "age", "priors")
    low.loc[column == "age", "age"] = rng.normal(50, 60, count)[column == "age"]
    high = low.copy()
    for name in CST:
        at = column == name
        high.loc[at, name] += 10 ** rng.uniform(-9, 6, at.sum())
    return low, high, rng.permutation(count)


def never_falls(predict):
    low, high, order = pairs()
    here = predict(low)
    there = np.empty(np.shape(here))
    there[order] = predict(high.iloc[order])
    return bool((there >= here).all())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.every(2)
@pytest.mark.parametrize(
    ("task", "y"),
    [
        ("amounts", WILD),
        ("counts", np.floor(np.exp(WILD / 4))),
        ("positive_amounts", np.exp(WILD / 4)),
        ("quantiles", WILD),
    ],
)
def test_numbers_never_fall(task, y):
    assert never_falls(fitted(TabularRegressor, y, task=task).predict)
    if task == "amounts":
        assert not never_falls(fitted(TabularRegressor, y, task=task, monotonic_cst=None).predict)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.slow
def test_the_chance_of_the_second_class_never_falls_also_when_corrected_and_loaded(tmp_path):
    model = fitted(TabularClassifier, WILD > 0, monotonic_cst=np.array([1, 1, 0]))
    assert never_falls(lambda x: model.predict_proba(x)[:, 1])
    assert never_falls(lambda x: -model.predict_proba(x)[:, 0])
    corrected = model.correct([Feedback("ward", scope="dataset")], epochs=2)
    assert not np.array_equal(corrected.predict_proba(X), model.predict_proba(X))
    assert never_falls(lambda x: corrected.predict_proba(x)[:, 1])
    corrected.save(tmp_path / "kept")
    loaded = TabularClassifier.load(tmp_path / "kept")
    assert np.array_equal(loaded.predict_proba(X), corrected.predict_proba(X))
    assert model.explain(X.head(3)).shape == (3, 3)
    with pytest.raises(RecipeError, match="may break monotonic_cst; choose removal='average', 'mean' or 'baseline'"):
        model.limit_influence("ward")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.slow
def test_ordered_classes_never_fall_in_their_order():
    model = fitted(TabularClassifier, np.digitize(WILD, [-3, 0]), task="ordered_classes")
    assert never_falls(model.predict)
    assert never_falls(lambda x: model.predict_proba(x)[:, 2])
    assert never_falls(lambda x: -model.predict_proba(x)[:, 0])


def test_a_row_is_predicted_alike_wherever_it_stands():
    from corrigible.models import tabm

    facts = {"one_hot": [False], "features": ["a"], "knots": [[-1.0, 0.0, 2.0]], "output_directions": [-1, 1]}
    network = tabm(**facts, num_classes=2, members=3, hidden=(17, 9), monotonic_cst={"a": 1})
    x = torch.randn(131, 1, generator=torch.Generator().manual_seed(0))
    together = predicted(network, x, CLASSES)["probs"]
    alone = torch.cat([predicted(network, row[None], CLASSES)["probs"] for row in x])
    assert torch.equal(together, alone)
    torch.testing.assert_close(together, network.double().eval()(x.double()).softmax(1), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("cst", "told"),
    [
        ({"weight": 1}, "monotonic_cst names 'weight'; there are 'age', 'priors', 'ward'"),
        ({"ward": 1}, "monotonic_cst names 'ward', a column of categories; expected a column of numbers"),
        ({"age": 0.5}, "monotonic_cst of 'age' is 0.5; expected 1, -1 or 0"),
        ([1, 0], r"monotonic_cst is \[1, 0\]; expected 3 numbers, one per column, or a dictionary by name"),
        ("age", "monotonic_cst is 'age'; expected 3 numbers"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_one_line(cst, told):
    with pytest.raises(RecipeError, match=told):
        fitted(TabularClassifier, WILD > 0, monotonic_cst=cst)


def test_classes_without_an_order_are_refused():
    with pytest.raises(
        RecipeError, match="is for two classes, ordered classes or numbers; these classes have no order"
    ):
        fitted(TabularClassifier, np.digitize(WILD, [-3, 0]))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_column_of_one_value_keeps_any_direction():
    model = TabularRegressor(monotonic_cst={"same": -1}, max_epochs=1, random_state=0)
    assert model.fit(X[["age"]].assign(same=1.0), WILD).predict(X[["age"]].assign(same=2.0)).shape == (N,)


def test_a_series_with_names_means_them_and_not_their_order():
    encoder = encoder_of(X, target=None)
    assert directed_columns(pd.Series({"ward": 0, "priors": -1, "age": 1}), X, encoder) == {"priors": -1, "age": 1}
    assert directed_columns(pd.Series([1, 0, 0]), X, encoder) == {"age": 1}
    with pytest.raises(RecipeError, match="expected 1, -1 or 0"):
        directed_columns({"age": np.array([1, 0])}, X, encoder)
