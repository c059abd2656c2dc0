"""Estimators that add products of pairs of columns."""

import logging

import numpy as np
import pandas as pd
import pytest

from corrigible import TabularClassifier, TabularRegressor
from corrigible.errors import RecipeError

RNG = np.random.default_rng(0)
N = 400
X = pd.DataFrame(RNG.normal(size=(N, 5)), columns=list("abcde")).assign(kind=RNG.choice(["x", "y"], N))
XOR = (X.a * X.d > 0).to_numpy()
SMALL = {"hidden_layer_sizes": (), "ensemble": 2, "max_epochs": 20, "learning_rate": 0.02, "random_state": 0}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.slow
def test_the_planted_pair_is_found_and_a_network_without_hidden_layers_learns_it(tmp_path, caplog):
    train, test = slice(0, 300), slice(300, None)
    alone = TabularClassifier(**SMALL).fit(X[train], XOR[train])
    with caplog.at_level(logging.INFO, logger="corrigible"):
        paired = TabularClassifier(interactions=1, **SMALL).fit(X[train], XOR[train])
    assert alone.interactions_ == [] and paired.interactions_ == [("a", "d")] and "a × d" in caplog.text
    assert alone.score(X[test], XOR[test]) < 0.65 and paired.score(X[test], XOR[test]) > 0.8
    shares = paired.explain(X[test]).abs().mean()
    assert set(shares.nlargest(2).index) == {"a", "d"} and list(shares.index) == list(X.columns)
    paired.save(tmp_path / "kept")
    loaded = TabularClassifier.load(tmp_path / "kept")
    assert loaded.interactions_ == [("a", "d")]
    assert np.array_equal(loaded.predict_proba(X), paired.predict_proba(X))


@pytest.mark.slow
def test_pairs_may_be_named_and_directions_hold_beside_them():
    y = 2 * X.b + X.a * (X.kind == "x")
    model = TabularRegressor(interactions=[("a", "kind")], monotonic_cst={"b": 1}, **SMALL).fit(X, y)
    assert model.score(X, y) > 0.9
    assert (model.predict(X.assign(b=X.b + 1)) >= model.predict(X)).all()
    with pytest.raises(RecipeError, match="interactions pair 'b', which has a direction in monotonic_cst"):
        TabularRegressor(interactions=[("a", "b")], monotonic_cst={"b": 1}, **SMALL).fit(X, y)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (-1, "interactions is -1; expected at least 0"),
        (True, "interactions is True; expected a whole number of pairs to add, or pairs of names"),
        ("ab", "interactions is 'ab'; expected a whole number"),
        (2.0, "interactions is 2.0; expected a whole number"),
        ([("a", "z")], "interactions name 'z'; there are 'a'"),
    ],
)
def test_nonsense_is_refused(asked, told):
    with pytest.raises(RecipeError, match=told):
        TabularClassifier(interactions=asked, **SMALL).fit(X, XOR)


def test_more_pairs_than_there_are_are_refused():
    small = {**SMALL, "max_epochs": 1}
    with pytest.raises(RecipeError, match="interactions is 2; 2 columns without a direction form 1 pairs"):
        TabularClassifier(interactions=2, monotonic_cst={"c": 1}, **small).fit(X[["a", "b", "c"]], XOR)


def test_settings_may_be_whole_numbers_of_numpy():
    x = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [1.0, 0.0, 2.0, 1.0]})
    two = dict.fromkeys(("ensemble", "max_epochs", "batch_size", "interactions"), np.int64(2))
    with pytest.raises(RecipeError, match="2 columns without a direction form 1 pairs"):
        TabularRegressor(hidden_layer_sizes=(4,)).set_params(**two).fit(x, x.a)
