"""How well scores tell members: the curve by hand, and against scikit-learn's and SciPy's."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score, roc_curve

from corrigible.errors import DataError, RecipeError
from corrigible.intervals import share_interval
from corrigible.metrics.attack_success import attack_advantage, attack_auc, attack_tpr, attack_tpr_interval, roc


def drawn(seed, *, ties):
    rng = np.random.default_rng(seed)
    members, others = 0.7 + rng.normal(size=rng.integers(1, 60)), rng.normal(size=rng.integers(1, 60))
    return (members.round(), others.round()) if ties else (members, others)


def test_the_curve_by_hand():
    members, others = [4.0, 2.0], [3.0, 2.0, 1.0, 0.0]
    false, true = roc(members, others)
    assert false.tolist() == [0, 0, 0.25, 0.5, 0.75, 1]
    assert true.tolist() == [0, 0.5, 0.5, 1, 1, 1]
    assert attack_auc(members, others) == (4 + 2.5) / 8  # 2.0 is above 1.0 and 0.0, and ties with 2.0
    assert attack_advantage(members, others) == 0.5
    assert [attack_tpr(members, others, fpr) for fpr in (0.1, 0.25, 0.49, 0.5)] == [None, 0.5, 0.5, 1.0]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_the_same_as_scikit_learn(seed, ties):
    members, others = drawn(seed, ties=ties)
    is_member, scores = np.repeat([1, 0], [len(members), len(others)]), np.concatenate([members, others])
    false, true, _ = roc_curve(is_member, scores, drop_intermediate=False)
    assert attack_auc(members, others) == pytest.approx(roc_auc_score(is_member, scores))
    assert attack_advantage(members, others) == pytest.approx((true - false).max())
    for fpr in (0.05, 0.2, 0.5):
        expected = true[false <= fpr + 1e-12].max() if fpr * len(others) >= 1 else None
        assert attack_tpr(members, others, fpr) == (None if expected is None else pytest.approx(expected))


def test_all_or_nothing():
    assert (attack_auc([2.0, 3], [0.0, 1]), attack_advantage([2.0, 3], [0.0, 1])) == (1.0, 1.0)
    assert (attack_auc([0.0, 1], [2.0, 3]), attack_advantage([0.0, 1], [2.0, 3])) == (0.0, 0.0)
    assert (attack_auc([1.0] * 5, [1.0] * 3), attack_advantage([1.0] * 5, [1.0] * 3)) == (0.5, 0.0)
    assert attack_tpr([1.0] * 5, [1.0] * 100, 0.01) == 0.0  # With the threshold at 1, all would be accused.


def test_what_the_rows_cannot_resolve_is_not_measured():
    members = [5.0] * 10
    assert attack_tpr(members, [0.0] * 100, 0.01) == 1.0
    assert attack_tpr(members, [0.0] * 99, 0.01) is None
    assert attack_tpr_interval(members, [0.0] * 999, 0.001) is None
    assert attack_tpr_interval(members, [0.0] * 1000, 0.001) == pytest.approx((0.6915, 1.0), abs=1e-4)


@pytest.mark.parametrize(("found", "count"), [(0, 100), (3, 10), (10, 10), (1, 1), (57, 200)])
def test_the_interval_is_that_of_clopper_and_pearson(found, count):
    expected = binomtest(found, count).proportion_ci(method="exact")
    assert share_interval(found, count) == pytest.approx((expected.low, expected.high))


def test_what_is_refused():
    with pytest.raises(DataError, match="one number per row"):
        attack_auc([], [1.0])
    with pytest.raises(DataError, match="row 1 is NaN"):
        attack_auc([1.0, float("nan")], [1.0])
    with pytest.raises(RecipeError, match="above 0 and below 1"):
        attack_tpr([1.0], [1.0], 1.0)
