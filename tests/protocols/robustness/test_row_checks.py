"""Rows unlike the training rows are flagged and it is said why; ordinary rows are flagged no more often than stated."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import binom
from sklearn.exceptions import ConvergenceWarning
from torch import nn

import corrigible
from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.protocols.robustness.row_checks import allowed_of, rank_of, row_checks, threshold_of

SCHOOL = {"basic": 9, "middle": 12, "high": 16}


def persons(num_rows, seed):
    """The years at school follow from the school; tenure is at most the age less 16."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, num_rows)
    school = rng.choice(list(SCHOOL), num_rows)
    sex = rng.choice(["f", "m"], num_rows)
    return pd.DataFrame(
        {
            "age": age,
            "tenure": (rng.random(num_rows) * (age - 16)).astype(int),
            "income": rng.normal(3000, 1000, num_rows).round(),
            "rent": np.where(rng.random(num_rows) < 0.1, np.nan, rng.normal(800, 200, num_rows).round()),
            "school": school,
            "years": [SCHOOL[one] for one in school],
            "title": np.where(sex == "f", "Mrs", "Mr"),
            "sex": sex,
            "y": rng.integers(0, 2, num_rows),
        }
    )


@pytest.fixture(scope="module")
def fitted():
    frame = persons(1500, seed=0)
    encoder = corrigible.encoder_of(frame, target="y")
    data = corrigible.encode(frame, encoder)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(data.x.shape[1], 16), nn.ReLU(), nn.Linear(16, 2))
    return model, data, encoder, row_checks(model, data, encoder=encoder)


def test_ordinary_rows_are_flagged_no_more_often_than_stated(fitted):
    checks = fitted[3]
    found = checks.flags(persons(3000, seed=1))
    assert found.flagged.mean() <= 0.02
    assert checks.false_alarms.value <= 0.02 < checks.false_alarms.high + 0.01
    assert checks.false_alarms.count == 1500


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"income": 3_000_000.0}, "income is 3,000,000; training has"),
        ({"income": -3000.0}, "income is −3000; training has"),
        ({"age": 40.5}, "whole numbers"),
        ({"income": np.nan}, "income: empty"),
        ({"sex": "x"}, "sex: empty, or a value that training lacks"),
        ({"school": None}, "school: empty"),
        ({"school": "basic", "years": 16}, "years is 16, where the other columns say 9"),
        ({"title": "Mr", "sex": "f"}, "0 training rows are like this"),
        ({"age": 19, "tenure": 60}, "tenure"),
    ],
)
def test_what_is_unusual_is_flagged_and_said(fitted, change, word):
    rows = persons(20, seed=2).astype({"age": float, "tenure": float})
    found = fitted[3].flags(rows.assign(**change))
    assert found.flagged.all()
    assert all(word in why for why in found.why)
    assert found.frame.columns.tolist() == ["flagged", "share", "why"] and "20 of 20 rows flagged" in repr(found)


def test_values_that_single_rows_hold_count_as_false_alarms():
    """As often as one row holds what no other does, a new row will hold what no training row does."""
    frame = persons(1500, seed=0)
    frame.loc[:5, "school"] = [f"school {row}" for row in range(6)]
    encoder = corrigible.encoder_of(frame, target="y")
    checks = row_checks(nn.Linear(len(encoder.columns.names), 2), corrigible.encode(frame, encoder), encoder=encoder)
    assert not checks.flags(frame.iloc[:6]).frame.why.str.contains("lacks").any()  # Training has them.
    assert checks.flags(persons(10, seed=2).assign(school="another")).frame.why.str.contains("lacks").all()
    assert checks.false_alarms.value <= 0.02 and int((checks.usual[0] > 0).sum()) == 6


def test_encoded_rows_are_checked_even_where_they_are_no_numbers(fitted):
    _, data, _, checks = fitted
    x = data.x[:4].clone()
    x[0, 0], x[1, 0], x[2, -1] = torch.nan, torch.inf, 0.5
    found = checks.flags(x)
    assert found.flagged.tolist() == [True, True, True, False]
    assert "age" in found.why[0] and "sex" in found.why[2] and found.why[3] == ""
    with pytest.raises(DataError, match="expected"):
        checks.flags(x[:, 1:])
    with pytest.raises(DataError, match="does not say whether they are encoded"):
        checks.flags(x.numpy())


def test_the_order_of_rows_and_their_company_do_not_matter(fitted):
    checks, frame = fitted[3], persons(60, seed=3)
    whole, alone = checks.flags(frame), [checks.flags(frame.iloc[[row]]) for row in range(5)]
    np.testing.assert_allclose(whole.share[:5], [one.share[0] for one in alone])
    reversed_ = checks.flags(frame.iloc[::-1])
    np.testing.assert_allclose(reversed_.share[::-1], whole.share)
    assert reversed_.frame.index.tolist() == frame.index[::-1].tolist()


def test_shares_and_thresholds_are_what_they_say():
    usual = np.sort(np.array([0.0, 1.0, 2.0, 2.0]))
    np.testing.assert_allclose(rank_of(np.array([0.0, 2.0, 3.0, 1.5]), usual), [1, 3 / 5, 1 / 5, 3 / 5])
    shares = np.array([0.1, 0.1, 0.2, 0.3])
    assert [threshold_of(shares, most) for most in (1, 2, 3, 4)] == [0.0, 0.1, 0.2, 0.3]
    assert threshold_of(np.array([0.0, 0.1, 0.2]), 2) == 0.1
    with pytest.raises(DataError, match="2 rows of 3 hold a value"):
        threshold_of(np.array([0.0, 0.0, 0.2]), 1)
    for num_rows, share in ((700, 0.02), (5000, 0.01)):
        most = allowed_of(num_rows, share)
        assert binom.cdf(most, num_rows, share) <= 0.05 < binom.cdf(most + 1, num_rows, share)


def test_plain_rows_without_columns_can_be_checked():
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(600, 4, generator=rng)
    x[:, 3] = x[:, 0] - x[:, 1]
    checks = row_checks(nn.Linear(4, 2), (x, (x[:, 0] > 0).long()))
    broken = x[:50].clone()
    broken[:, 3] += 2
    assert checks.flags(broken).flagged.all() and "where the other columns say" in checks.flags(broken).why[0]
    assert checks.flags(torch.randn(500, 4, generator=rng) * 30).flagged.all()
    with pytest.raises(DataError, match="encoder"):
        checks.flags(pd.DataFrame(x.numpy()))


def test_the_network_is_looked_into_where_it_can_be(fitted):
    model, data, _, checks = fitted
    assert "network" in repr(checks) and not checks.left_out
    left = row_checks(Opaque(), data)
    assert len(left.left_out) == 1 and "left out: network" in repr(left)
    with pytest.raises(UnsupportedModelError):
        row_checks(Opaque(), data, layer="other")
    assert model.training and all(parameter.grad is None for parameter in model.parameters())


class Opaque(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))

    def forward(self, x):
        return x[:, :2] * self.weight


def test_an_estimator_has_checks_of_its_rows():
    frame = persons(400, seed=4)
    y = frame.pop("y")
    classifier = corrigible.TabularClassifier(random_state=0, max_epochs=1, ensemble=2, hidden_layer_sizes=(4,))
    with pytest.warns(ConvergenceWarning):
        classifier.fit(frame, y)
    checks = classifier.row_checks(false_alarms=0.05)
    assert checks.false_alarms.value <= 0.05
    found = checks.flags(frame.iloc[:5].assign(income=np.nan, title="Dr"))
    assert found.flagged.all() and "income, title: empty" in found.why[0]


def test_too_few_rows_and_other_shares_are_refused(fitted):
    model, data, *_ = fitted
    few = corrigible.TensorData(data.x[:100], data.y[:100], columns=data.columns)
    with pytest.raises(DataError, match=r"100 rows cannot say .* expected about 298"):
        row_checks(model, few)
    for share in (0.0, 1.0, -0.1):
        with pytest.raises(RecipeError, match="between 0 and 1"):
            row_checks(model, data, false_alarms=share)
    with pytest.raises(DataError, match="table"):
        row_checks(nn.Flatten(), (torch.zeros(300, 1, 3, 3), torch.zeros(300).long()))
