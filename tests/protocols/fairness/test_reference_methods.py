"""Reweighing and thresholds by group, against their definitions."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.dummy import DummyClassifier

from corrigible.errors import DataError, RecipeError
from corrigible.protocols.fairness.group_thresholds import group_thresholds
from corrigible.protocols.fairness.reweighing import reweighing

GENERATOR = torch.Generator().manual_seed(0)
GROUP = torch.arange(400) % 2
PROBS = (torch.rand(400, generator=GENERATOR) * 0.8 + 0.2 * GROUP).clamp(0, 1)
Y = (torch.rand(400, generator=GENERATOR) < PROBS).long()


def test_reweighing_makes_label_and_group_independent():
    y, group = ["no", "yes", "no", "no", "yes", "no"], ["a", "a", "a", "b", "b", "a"]
    weight = reweighing(y, group)
    assert weight[0].item() == pytest.approx((4 / 6) * (4 / 6) / (3 / 6))
    assert weight[4].item() == pytest.approx((2 / 6) * (2 / 6) / (1 / 6))
    weight = reweighing(Y, GROUP, weight=torch.rand(400, generator=GENERATOR)).double()
    rates = [float(weight[(g == GROUP) & (Y == 1)].sum() / weight[g == GROUP].sum()) for g in (0, 1)]
    assert rates[0] == pytest.approx(rates[1], rel=1e-5)
    with pytest.raises(DataError, match="y has 2 rows, group 3 and weight 2; expected as many each"):
        reweighing([0, 1], [0, 1, 1])


def rates_of(chances, penalty):
    parts = {"demographic_parity": [Y >= 0], "equal_opportunity": [Y == 1], "equalized_odds": [Y == 1, Y == 0]}
    return [[float(chances[(g == GROUP) & rows].mean()) for g in (0, 1)] for rows in parts[penalty]]


@pytest.mark.parametrize("penalty", ["demographic_parity", "equal_opportunity", "equalized_odds"])
@pytest.mark.parametrize("gap", [0.0, 0.05, 1.0])
@pytest.mark.every(3)
def test_thresholds_keep_the_gap_and_are_the_best_that_do(penalty, gap):
    found = group_thresholds(PROBS, Y, GROUP, gap=gap, penalty=penalty).chances(PROBS, GROUP)
    assert all(abs(first - second) <= gap + 1e-7 for first, second in rates_of(found, penalty))
    right = float((found * Y + (1 - found) * (1 - Y)).sum())
    levels = torch.linspace(-0.01, 1.01, 40).tolist()
    for pair in itertools.product(levels, levels):
        decided = (torch.tensor(pair)[GROUP] < PROBS).float()
        if all(abs(first - second) <= gap for first, second in rates_of(decided, penalty)):
            assert right >= float((decided == Y).sum()) - 4  # The thresholds tried are 150 quantiles.


def test_thresholds_take_arrays_columns_and_texts_alike():
    expected = group_thresholds(PROBS, Y, GROUP, gap=0.05).chances(PROBS, GROUP)
    sex = pd.Series(np.where(GROUP.numpy() == 1, "m", "f"))
    found = group_thresholds(PROBS.numpy(), Y.bool().numpy(), sex, gap=0.05)
    assert found.groups == ("f", "m")
    assert torch.equal(found.chances(PROBS.tolist(), sex.tolist()), expected)
    assert repr(found).startswith("GroupThresholds(f: above 0.") and len(repr(found)) < 200
    named = group_thresholds(PROBS, np.where(Y == 1, "yes", "no"), sex, gap=0.05)
    assert torch.equal(named.chances(PROBS, sex), expected)
    with pytest.raises(DataError, match="group x has no threshold; there are some for"):
        found.chances([0.5], ["x"])
    with pytest.raises(DataError, match="rows: probs 400, y 400, group 399; expected as many each"):
        group_thresholds(PROBS, Y, GROUP[1:], gap=0.05)
    with pytest.raises(DataError, match="probs holds .*; expected the probability of class 1 of each row, from 0 to 1"):
        group_thresholds(4 * PROBS, Y, GROUP, gap=0.05)
    with pytest.raises(DataError, match=r"probs has shape \(400, 1\)"):
        group_thresholds(PROBS[:, None], Y, GROUP, gap=0.05)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"probs": ["a", "b"]}, "probs holds 'a'; expected the probability"),
        ({"probs": [0.1, None]}, "probs of row 1 is missing"),
        ({"y": None}, "y is of type NoneType; expected an array of one value for each row"),
        ({"group": "ab"}, "group is of type str"),
        ({"group": [1, float("nan")]}, "group of row 1 is missing; fill it"),
        ({"group": [[1], [2]]}, r"group of row 0 is \[1\]; expected one value"),
    ],
)
def test_rows_that_are_none_are_refused_in_one_line(given, told):
    rows = {"probs": [0.1, 0.9], "y": [0, 1], "group": ["a", "b"], **given}
    with pytest.raises(DataError, match=told):
        group_thresholds(**rows, gap=0.1)


@pytest.mark.parametrize("gap", ["0.1", None, float("inf"), -1])
def test_a_gap_that_is_none_is_refused(gap):
    with pytest.raises(RecipeError, match="penalty is 'demographic_parity' and gap"):
        group_thresholds([0.1, 0.9], [0, 1], ["a", "b"], gap=gap)


@pytest.mark.parametrize("kind", ["demographic_parity", "true_positive_rate_parity", "equalized_odds"])
def test_thresholds_are_as_accurate_as_those_of_fairlearn(kind):
    theirs = pytest.importorskip("fairlearn.postprocessing")
    dummy = DummyClassifier().fit(np.zeros((400, 1)), Y)
    dummy.predict_proba = lambda rows: np.stack([1 - rows[:, 0], rows[:, 0]], axis=1)
    asked = {"estimator": dummy, "prefit": True, "predict_method": "predict_proba", "objective": "accuracy_score"}
    other = theirs.ThresholdOptimizer(constraints=kind, **asked)
    other.fit(PROBS[:, None].double().numpy(), Y.numpy(), sensitive_features=GROUP.numpy())
    chances = torch.from_numpy(
        other._pmf_predict(PROBS[:, None].double().numpy(), sensitive_features=GROUP.numpy())[:, 1]
    )
    penalty = "equal_opportunity" if kind == "true_positive_rate_parity" else kind
    found = group_thresholds(PROBS, Y, GROUP, gap=0.0, penalty=penalty).chances(PROBS, GROUP)
    ours, expected = (float((of * Y + (1 - of) * (1 - Y)).mean()) for of in (found, chances))
    assert ours == pytest.approx(expected, abs=0.01)


def test_thresholds_need_the_group():
    found = group_thresholds(PROBS, Y, GROUP, gap=0.1)
    with pytest.raises(DataError, match="need the group of every row that is decided; a penalty needs none"):
        found.chances(PROBS, None)
    with pytest.raises(DataError, match="group 2 has no threshold; there are some for"):
        found.chances(PROBS, GROUP + 1)
    with pytest.raises(DataError, match="y holds 3 classes, 0, 1, 2; thresholds are for two"):
        group_thresholds(PROBS, torch.arange(400) % 3, GROUP, gap=0.1)
    with pytest.raises(RecipeError, match="penalty is 'odds'"):
        group_thresholds(PROBS, Y, GROUP, gap=0.1, penalty="odds")
