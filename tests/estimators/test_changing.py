"""The estimators' counterfactuals, from frames and in their units."""

import numpy as np
import pandas as pd
import pytest

from corrigible import TabularClassifier, TabularRegressor
from corrigible.errors import DataError
from corrigible.explanations.counterfactuals import Immutable, Monotone, Range

QUICK = {
    "hidden_layer_sizes": (16,),
    "ensemble": 2,
    "max_epochs": 15,
    "batch_size": 50,
    "learning_rate": 0.02,
    "random_state": 0,
}


pytestmark = pytest.mark.filterwarnings("ignore:the loss was still falling")


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, 200),
            "income": rng.normal(3000, 1000, 200).round(),
            "housing": rng.choice(["own", "rent"], 200),
        }
    )
    risk = frame.income / 1000 + (frame.housing == "own") + frame.age / 40
    return frame, np.where(risk > 5, "good", "bad"), 900 - 80 * risk


def test_a_classifier_says_what_to_change(people):
    frame, labels, _ = people
    model = TabularClassifier(**QUICK).fit(frame, labels)
    constraints = [Immutable("housing"), Monotone("age", "up"), Range("income", 0, 9000)]
    asked = frame[model.predict(frame) == "bad"].head(10)
    found = model.counterfactuals(asked, target="good", constraints=constraints)
    assert found.is_found.all()
    changed = found.frame()
    assert changed.index.equals(asked.index)
    assert (model.predict(changed[list(frame.columns)]) == "good").all()
    assert (changed.prediction == "good").all()
    assert (changed.housing.to_numpy() == asked.housing.to_numpy()).all()
    assert (changed.age.to_numpy() >= asked.age.to_numpy()).all()
    assert found.in_words(0).startswith(("raise income by", "raise age by"))
    assert found.in_words(0).endswith(": then good")
    held = model.nearest_unlike(asked, target="good", constraints=[Immutable("housing")]).frame()
    assert (model.predict(held[list(frame.columns)]) == "good").all()
    with pytest.raises(DataError, match="expected one of bad, good"):
        model.counterfactuals(asked, target="fine")


def test_a_price_below_a_bound(people):
    frame, _, prices = people
    model = TabularRegressor(**QUICK).fit(frame, prices)
    now = model.predict(frame)
    bound = float(np.median(now))
    asked = frame[now > bound].head(5)
    found = model.counterfactuals(asked, below=bound, rows=frame)
    assert found.is_found.all()
    assert (model.predict(found.frame()[list(frame.columns)]) < bound).all()
