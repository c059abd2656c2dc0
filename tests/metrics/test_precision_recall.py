import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, precision_score, recall_score

from corrigible.metrics import f1, macro_f1, precision, recall

PAIRS = [(precision, precision_score), (recall, recall_score), (f1, f1_score)]
RNG = torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize(("num_classes", "average"), [(2, "binary"), (4, "macro")])
def test_is_scikit_learns(ours, theirs, num_classes, average):
    probs = torch.rand(50, num_classes, generator=RNG).softmax(dim=1)
    y = torch.randint(num_classes, (50,), generator=RNG)
    assert ours(probs, y).item() == pytest.approx(theirs(y, probs.argmax(1), average=average))


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("y", [[0, 0, 0], [1, 1, 2], [3, 3, 0]])
def test_a_share_of_no_rows_and_absent_classes_do_not_count(ours, theirs, y):
    probs, y = torch.eye(4)[[0, 1, 1]], torch.tensor(y)
    expected = theirs(y, probs.argmax(1), average="macro", zero_division=np.nan)
    assert ours(probs, y).item() == pytest.approx(expected)


@pytest.mark.parametrize("metric", [precision, recall, f1])
def test_without_any_positive_it_is_not_measured(metric):
    assert metric(torch.eye(2)[[0, 0]], torch.tensor([0, 0])).isnan()


def test_several_labels_are_scikit_learns_macro_average():
    predicted, present = torch.randint(2, (2, 200, 4), generator=RNG)
    present[:, 3] = predicted[:, 3] = 0
    expected = f1_score(present, predicted, average="macro", zero_division=np.nan)
    assert macro_f1(predicted, present.float()).item() == pytest.approx(expected)
