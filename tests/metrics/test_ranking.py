import pytest
import torch
from sklearn.metrics import roc_auc_score

from corrigible.metrics import auc, macro_auc

RNG = torch.Generator().manual_seed(0)


def rounded_probs(num_classes, decimals):
    probs = torch.rand(300, num_classes, generator=RNG, dtype=torch.float64).softmax(dim=1)
    return probs.round(decimals=decimals)


@pytest.mark.parametrize("decimals", [1, 2, 12])
def test_two_classes_as_scikit_learn_with_and_without_ties(decimals):
    probs, y = rounded_probs(2, decimals), torch.randint(2, (300,), generator=RNG)
    assert auc(probs, y).item() == pytest.approx(roc_auc_score(y, probs[:, 1]))


@pytest.mark.parametrize("decimals", [1, 2, 12])
def test_more_classes_as_scikit_learn_one_against_the_rest(decimals):
    probs, y = rounded_probs(4, decimals), torch.randint(4, (300,), generator=RNG)
    each = [roc_auc_score(y == label, probs[:, label]) for label in range(4)]
    assert auc(probs, y).item() == pytest.approx(sum(each) / 4)


def test_is_the_share_of_pairs_in_the_right_order():
    probs, y = rounded_probs(2, 1)[:20], torch.randint(2, (20,), generator=RNG)
    pairs = [(a, b) for a in probs[y == 1, 1].tolist() for b in probs[y == 0, 1].tolist()]
    assert auc(probs, y).item() == pytest.approx(sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs))


def test_an_absent_class_does_not_count():
    probs, y = rounded_probs(3, 12), torch.randint(2, (300,), generator=RNG)
    each = [roc_auc_score(y == label, probs[:, label]) for label in (0, 1)]
    assert auc(probs, y).item() == pytest.approx(sum(each) / 2)


@pytest.mark.parametrize("num_classes", [2, 3])
def test_one_class_alone_has_no_area(num_classes):
    assert auc(rounded_probs(num_classes, 12), torch.ones(300, dtype=torch.long)).isnan()


@pytest.mark.parametrize("decimals", [1, 12])
def test_several_labels_as_scikit_learns_macro_average(decimals):
    probs = torch.rand(200, 3, generator=RNG, dtype=torch.float64).round(decimals=decimals)
    present = torch.randint(2, (200, 3), generator=RNG)
    expected = roc_auc_score(present, probs, average="macro")
    assert macro_auc(probs, present.float()).item() == pytest.approx(expected)
    present[:, 1] = 1  # A label that every row has does not count.
    expected = roc_auc_score(present[:, [0, 2]], probs[:, [0, 2]], average="macro")
    assert macro_auc(probs, present.float()).item() == pytest.approx(expected)
    assert macro_auc(probs, torch.zeros(200, 3)).isnan()
