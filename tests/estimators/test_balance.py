"""Predictions of the training rows sum to their labels, before and after a correction."""

import numpy as np
import pandas as pd
import pytest
import torch

from corrigible import Feedback, TabularRegressor
from corrigible.models.tabm import tabm
from corrigible.protocols.limiting import measuring

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 240
RNG = np.random.default_rng(0)
X = pd.DataFrame({"age": RNG.normal(50, 10, N), "ward": RNG.choice(["a", "b"], N)})
YEARS, WEIGHT = RNG.uniform(0.2, 2, N), RNG.integers(3, size=N).astype(float)
CLAIMS = RNG.poisson(YEARS * X.age / 20).astype(float)


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    monkeypatch.setattr(measuring, "NUM_RESAMPLES", 10)


def fitted(task, y, **given):
    model = TabularRegressor(task=task, hidden_layer_sizes=(8,), ensemble=2, max_epochs=2, random_state=0)
    return model.fit(X, y, **given)


def of_claims(model):
    return (WEIGHT * YEARS * model.predict(X)).sum() / (WEIGHT * CLAIMS).sum()


def test_claims_by_weight_and_exposure_sum_up_after_fit_and_after_a_correction():
    model = fitted("counts", CLAIMS, exposure=YEARS, sample_weight=WEIGHT)
    assert of_claims(model) == pytest.approx(1, abs=1e-4)
    corrected = model.correct([Feedback("ward", scope="dataset")], epochs=1)
    assert (corrected.predict(X) != model.predict(X)).any()
    assert of_claims(corrected) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("removal", ["average", "mean"])
@pytest.mark.slow
def test_claims_sum_up_without_the_influence_of_a_column(removal):
    model = fitted("counts", CLAIMS, exposure=YEARS, sample_weight=WEIGHT)
    limited = model.limit_influence("age", removal=removal)
    assert np.ptp(limited.predict(X[X.ward == "a"])) == pytest.approx(0, abs=1e-5)
    assert of_claims(limited) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_amounts_sum_up_without_the_influence_of_a_column(share):
    y = 1e4 + 20 * X.age
    limited = fitted("amounts", y, sample_weight=WEIGHT).limit_influence("age", share=share)
    assert (WEIGHT * limited.predict(X)).sum() == pytest.approx((WEIGHT * y).sum(), rel=1e-6)


@pytest.mark.parametrize(
    ("task", "y"), [("positive_amounts", np.exp(X.age / 20)), ("amounts", 1e4 + 20 * X.age), ("amounts", X.age - 50)]
)
def test_amounts_sum_up(task, y):
    predicted = fitted(task, y, sample_weight=WEIGHT).predict(X)
    assert (WEIGHT * predicted).sum() == pytest.approx((WEIGHT * y).sum(), abs=1e-4 * (WEIGHT * np.abs(y)).sum())


def test_a_spread_that_is_predicted_stays():
    y = X.age.to_numpy()
    model = fitted({"name": "amounts", "heteroscedastic": True}, y)
    assert model.predict(X).sum() == pytest.approx(y.sum(), rel=1e-4)


def test_a_shift_adds_to_every_output():
    network = tabm([False, True], 2, [5.0, 0.0], [10.0, 1.0], knots=[[0.0, 1.0]], members=3, hidden=(4,)).eval()
    x = torch.rand(6, 2)
    before = network.member_outputs(x)
    network.shift(torch.tensor([2.0, -1.0]))
    torch.testing.assert_close(network.member_outputs(x), before + torch.tensor([2.0, -1.0]))
