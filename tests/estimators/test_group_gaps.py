"""Estimators measure the differences between groups without being asked, by exposure; empty cells are a group."""

import numpy as np
import pandas as pd
import pytest

from corrigible import TabularRegressor

QUICK = {"ensemble": 1, "hidden_layer_sizes": (8,), "max_epochs": 2, "random_state": 0}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_regressor_measures_gaps_by_exposure() -> None:
    rng = np.random.default_rng(0)
    X, years = pd.DataFrame({"age": rng.normal(size=120)}), 0.1 + rng.random(120)
    sex = np.array(["f", "m", None])[rng.integers(3, size=120)]
    y = rng.poisson(years * np.exp(X["age"] + (sex == "f")))
    model = TabularRegressor(task="counts", **QUICK).fit(X, y, exposure=years)
    measured = model.evaluate(X, y, sensitive_features=sex, exposure=years, num_resamples=50)
    found = {m.metric: m for m in measured}
    rates, rows = model.predict(X), [np.array([value == group for value in sex]) for group in ("f", "m", None)]
    means = [np.average(rates[group], weights=years[group]) for group in rows]
    ratios = [(rates * years)[group].sum() / y[group].sum() for group in rows]
    assert found["group_mean_gap"].value == pytest.approx(max(means) - min(means), rel=1e-5)
    assert found["group_balance_gap"].value == pytest.approx(max(ratios) - min(ratios), rel=1e-5)
    assert found["group_loss_gap"].low is not None
    assert not any("group" in m.metric for m in model.evaluate(X, y, exposure=years, num_resamples=0))
