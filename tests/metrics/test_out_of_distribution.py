import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score, roc_curve

from corrigible.errors import DataError
from corrigible.metrics.out_of_distribution import fpr_at_95_tpr, ood_auroc

both = pytest.mark.parametrize("metric", [ood_auroc, fpr_at_95_tpr])


def drawn(seed, *, ties):
    rng = np.random.default_rng(seed)
    inside, outside = rng.normal(size=rng.integers(1, 60)), 0.7 + rng.normal(size=rng.integers(1, 60))
    return (inside.round(), outside.round()) if ties else (inside, outside)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_both_are_what_scikit_learn_gives(seed, ties):
    inside, outside = drawn(seed, ties=ties)
    is_outside, scores = np.repeat([0, 1], [len(inside), len(outside)]), np.concatenate([inside, outside])
    assert ood_auroc(inside, outside) == pytest.approx(roc_auc_score(is_outside, scores))
    false, true, _ = roc_curve(is_outside, scores, drop_intermediate=False)
    assert fpr_at_95_tpr(inside, outside) == pytest.approx(false[np.argmax(true >= 0.95 - 1e-12)])


def test_worked_by_hand():
    inside, outside = [1.0, 2.0, 3.0], [2.0, 4.0]
    assert ood_auroc(inside, outside) == (1.5 + 3) / 6  # 2.0 is above 1.0 and ties with 2.0
    assert fpr_at_95_tpr(inside, outside) == 2 / 3  # The threshold is 2.0.
    assert fpr_at_95_tpr(inside, [0.0] + [5.0] * 19) == 0.0  # 19 of 20 are 95 %.
    assert fpr_at_95_tpr(inside, [0.0] + [5.0] * 18) == 1.0


def test_scores_that_tell_all_or_nothing():
    assert (ood_auroc([0.0, 1], [2.0, 3]), fpr_at_95_tpr([0.0, 1], [2.0, 3])) == (1.0, 0.0)
    assert (ood_auroc([2.0, 3], [0.0, 1]), fpr_at_95_tpr([2.0, 3], [0.0, 1])) == (0.0, 1.0)
    assert (ood_auroc([1.0] * 5, [1.0] * 3), fpr_at_95_tpr([1.0] * 5, [1.0] * 3)) == (0.5, 1.0)


@both
def test_scores_in_half_precision_are_numbers(metric):
    inside, outside = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 4.0])
    assert metric(inside.bfloat16(), outside.bfloat16()) == metric(inside, outside)


@both
def test_only_the_order_of_the_scores_counts(metric):
    inside, outside = drawn(3, ties=True)
    assert metric(np.exp(inside), np.exp(outside)) == metric(torch.tensor(inside), outside.tolist())
    assert metric(inside[::-1].copy(), outside[::-1].copy()) == metric(inside, outside)


@both
@pytest.mark.parametrize(
    ("inside", "outside", "words"),
    [
        ([], [1.0], r"inside have shape \(0,\); expected one number per row, and a row"),
        ([1.0], torch.empty(0), "outside have shape"),
        ([[1.0, 2.0]], [1.0], r"inside have shape \(1, 2\)"),
        ([1.0], [0.0, float("nan")], "the score outside of row 1 is NaN"),
        ([1.0], ["0.5"], "the scores outside holds <U3 values; expected numbers"),
        ([1.0], [0.5 + 1j], "the scores outside holds complex128 values"),
        ([1.0], torch.rand(3).to_sparse(), "the scores outside is a sparse tensor"),
    ],
)
def test_what_is_no_score_is_refused(metric, inside, outside, words):
    with pytest.raises(DataError, match=words):
        metric(inside, outside)
