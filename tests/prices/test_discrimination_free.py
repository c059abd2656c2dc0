"""The price is the average over the attribute, and in balance, for models, rows and labels of every kind."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression, PoissonRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from corrigible import TabularRegressor, TensorData, discrimination_free_price
from corrigible.errors import DataError, UnsupportedModelError

RNG = np.random.default_rng(0)
NUM_ROWS = 400
SEX = np.where(RNG.random(NUM_ROWS) < 0.4, "f", "m")
X = pd.DataFrame(
    {
        "age": RNG.normal(40, 10, NUM_ROWS) + 5 * (SEX == "f"),
        "sex": pd.Categorical(SEX),
        "site": RNG.integers(3, size=NUM_ROWS),
    }
)
EXPOSURE = 0.1 + RNG.random(NUM_ROWS)


def rate(rows: pd.DataFrame) -> np.ndarray:
    """A best estimate that is known: the attribute multiplies, and counts more at a high age."""
    is_female = (rows["sex"] == "f").to_numpy(float)
    return np.exp(-2 + 0.03 * rows["age"] + is_female * (0.4 + 0.01 * rows["age"]) + 0.1 * rows["site"]).to_numpy()


def averaged(rows: pd.DataFrame, share: float) -> np.ndarray:
    both = [rate(rows.assign(sex=sex)) for sex in ("f", "m")]
    return share * both[0] + (1 - share) * both[1]


def test_the_price_is_the_known_average_to_a_millionth() -> None:
    price = discrimination_free_price(rate, X, attributes="sex", exposure=EXPOSURE)
    truth = averaged(X, EXPOSURE[SEX == "f"].sum() / EXPOSURE.sum())
    truth *= (EXPOSURE * rate(X)).sum() / (EXPOSURE * truth).sum()
    assert np.abs(price.predict(X) / truth - 1).max() < 1e-12
    assert (price.predict(X) * EXPOSURE).sum() == pytest.approx((rate(X) * EXPOSURE).sum(), rel=1e-12)


def test_what_a_row_holds_as_the_attribute_does_not_count_nor_need_it_be_there() -> None:
    price = discrimination_free_price(rate, X, attributes=["sex"])
    flipped = X.assign(sex=pd.Categorical(np.where(SEX == "f", "m", "f")))
    without = X.drop(columns="sex")
    assert (price.predict(X) == price.predict(flipped)).all() and (price.prices == price.predict(X)).all()
    assert (price.predict(X) == price.predict(without)).all() and (price(without) == price.predict(X)).all()
    assert not hasattr(price, "predict_proba")
    assert repr(price).startswith("discrimination-free price, averaged over sex (f 35.8")


def test_prices_sum_to_what_was_observed_if_that_is_given() -> None:
    y = RNG.poisson(rate(X) * EXPOSURE)
    price = discrimination_free_price(rate, X, attributes="sex", exposure=EXPOSURE, y=y)
    assert (price.predict(X) * EXPOSURE).sum() == pytest.approx(y.sum())


def test_several_attributes_are_averaged_over_as_they_occur_together() -> None:
    price = discrimination_free_price(rate, X, attributes=["sex", "site"], exposure=EXPOSURE)
    expected = np.zeros(NUM_ROWS)
    for sex in ("f", "m"):
        for site in range(3):
            share = EXPOSURE[(sex == SEX) & (X["site"] == site)].sum() / EXPOSURE.sum()
            expected += share * rate(X.assign(sex=sex, site=site))
    assert np.allclose(price.predict(X) / expected, float(price.balance.by))


def test_a_number_of_many_values_is_averaged_over_parts_or_given_values() -> None:
    linear = lambda rows: 100 + 2 * rows["age"] + rows["site"]  # noqa: E731
    price = discrimination_free_price(linear, X, attributes="age", exposure=EXPOSURE)
    assert len(price.attributes.shares) == 20
    mean = np.average(X["age"], weights=EXPOSURE)
    assert np.allclose(price.predict(X), (100 + 2 * mean + X["site"]) * float(price.balance.by))
    given = discrimination_free_price(linear, X, attributes="age", values={"age": [30, 50]})
    assert given.attributes.shares["share"].tolist() == [(X["age"] < 40).mean(), (X["age"] >= 40).mean()]


def test_probabilities_stay_probabilities_and_keep_their_mean() -> None:
    numbers = X.assign(sex=(SEX == "f").astype(float))
    label = np.where(RNG.random(NUM_ROWS) < 0.3 + 0.3 * (SEX == "f"), "claim", "none")
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(numbers, label)
    price = discrimination_free_price(model, numbers, attributes="sex", exposure=EXPOSURE)
    probs = price.predict_proba(numbers)
    raw = sum(
        (numbers["sex"] == s).to_numpy() @ EXPOSURE / EXPOSURE.sum() * model.predict_proba(numbers.assign(sex=s))
        for s in (0.0, 1.0)
    )
    odds = (probs[:, 1] / probs[:, 0]) / (raw[:, 1] / raw[:, 0])
    assert np.allclose(odds, odds[0]) and np.allclose(probs.sum(axis=1), 1)
    aims = np.average(model.predict_proba(numbers), axis=0, weights=EXPOSURE)
    assert np.average(probs, axis=0, weights=EXPOSURE) == pytest.approx(aims, abs=1e-9)
    assert set(price.predict(numbers)) <= set(model.classes_)
    observed = discrimination_free_price(model, numbers, attributes="sex", y=label).predict_proba(numbers)
    assert observed[:, 0].mean() == pytest.approx((label == "claim").mean(), abs=1e-9)


def test_amounts_that_may_be_negative_are_shifted_not_scaled() -> None:
    amount = lambda rows: rows[:, 0] - 3 * rows[:, 1]  # noqa: E731
    rows = np.stack([RNG.normal(size=50), (RNG.random(50) < 0.4).astype(float)], axis=1)
    price = discrimination_free_price(amount, rows, attributes=1)
    assert price.balance.kind == "shift"
    assert np.allclose(price.predict(rows), rows[:, 0] - 3 * rows[:, 1].mean())
    assert np.allclose(price.predict(rows[:, :1]), price.predict(rows))


def test_a_network_of_encoded_rows_has_a_price_too() -> None:
    torch.manual_seed(0)
    network = nn.Linear(4, 1)
    group = torch.eye(2)[torch.arange(60) % 2]
    data = TensorData(torch.cat([torch.randn(60, 2), group], dim=1), torch.arange(60) % 3, task="counts")
    price = discrimination_free_price(network, data, attributes=[2, 3])
    rate = [network(torch.cat([data.x[:, :2], d.expand(60, 2)], dim=1)).exp()[:, 0].detach() for d in torch.eye(2)]
    assert np.allclose(price.predict(data.x), (rate[0] + rate[1]).numpy() / 2 * float(price.balance.by), rtol=1e-5)


def test_a_student_learns_the_price_without_the_attribute() -> None:
    price = discrimination_free_price(rate, X, attributes="sex", exposure=EXPOSURE)
    few, years = X[:150].drop(columns="sex"), EXPOSURE[:150]
    quick = {"ensemble": 1, "hidden_layer_sizes": (8,), "max_epochs": 12, "learning_rate": 0.03, "random_state": 0}
    student = TabularRegressor(task="counts", weight_decay=3e-4, **quick)
    student.fit(few, RNG.poisson(rate(X[:150]) * years), exposure=years, teacher=price)
    told, learned = price.predict(few), student.predict(few)
    assert (learned * years).sum() == pytest.approx((told * years).sum(), rel=1e-3)
    assert np.corrcoef(np.log(told), np.log(learned))[0, 1] > 0.95


def test_rows_without_a_value_do_not_count_for_the_shares() -> None:
    lacking = X.assign(sex=X["sex"].where(np.arange(NUM_ROWS) >= 10))
    price = discrimination_free_price(rate, lacking, attributes="sex")
    assert price.attributes.shares["share"].tolist() == pytest.approx([(SEX[10:] == s).mean() for s in ("f", "m")])
    assert "10 rows lacked a value" in repr(price)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"attributes": "gender"}, DataError, "expected columns of X"),
        ({"attributes": []}, DataError, "expected columns of X"),
        ({"X": X.assign(sex="f")}, DataError, "expected at least two"),
        ({"attributes": ["age", "sex"], "values": {"site": [1]}}, DataError, "expected attributes: age, sex"),
        ({"model": 3}, UnsupportedModelError, "expected a model with predict_proba"),
        ({"model": lambda rows: rows["wage"]}, UnsupportedModelError, "the model fails on the rows"),
        ({"model": lambda rows: np.full(len(rows), np.nan)}, UnsupportedModelError, "expected finite numbers"),
        ({"exposure": np.zeros(NUM_ROWS)}, DataError, "expected numbers above 0"),
        ({"model": nn.Linear(2, 1)}, DataError, "for a network expected TensorData"),
    ],
)  # fmt: skip
def test_what_cannot_be_priced_is_refused_in_one_line(change: dict, error: type, words: str) -> None:
    given = {"model": rate, "X": X, "attributes": "sex"} | change
    with pytest.raises(error, match=words):
        discrimination_free_price(given.pop("model"), given.pop("X"), **given)
    with pytest.raises(DataError, match="not the columns of the portfolio"):
        discrimination_free_price(rate, X, attributes="sex").predict(X.drop(columns="age"))


def test_scikit_learns_models_of_rates_are_priced_as_they_are() -> None:
    numbers = X.assign(sex=(SEX == "f").astype(float))
    y = RNG.poisson(rate(X) * EXPOSURE)
    model = make_pipeline(StandardScaler(), PoissonRegressor())
    model.fit(numbers, y / EXPOSURE, poissonregressor__sample_weight=EXPOSURE)
    price = discrimination_free_price(model, numbers, attributes="sex", exposure=EXPOSURE)
    effect = np.exp(model[-1].coef_[1] / model[0].scale_[1])
    share = np.average(numbers["sex"], weights=EXPOSURE)
    expected = model.predict(numbers.assign(sex=0.0)) * (1 - share + share * effect) * float(price.balance.by)
    assert np.allclose(price.predict(numbers), expected)
    assert (pickle.loads(pickle.dumps(price)).predict(numbers) == price.predict(numbers)).all()  # noqa: S301
