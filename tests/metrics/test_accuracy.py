import pytest
import torch
from sklearn.metrics import accuracy_score, recall_score

from corrigible.metrics import (
    accuracy,
    class_accuracy,
    exact_match,
    group_accuracy,
    label_accuracy,
    macro_group_accuracy,
    worst_class_accuracy,
    worst_group_accuracy,
)

RNG = torch.Generator().manual_seed(0)
PREDICTED, Y, GROUP = torch.randint(4, (3, 200), generator=RNG)


def test_accuracy_is_scikit_learns():
    assert accuracy(PREDICTED, Y).item() == pytest.approx(accuracy_score(Y, PREDICTED))


def test_class_accuracies_are_scikit_learns_recalls():
    recalls = recall_score(Y, PREDICTED, average=None)
    assert [class_accuracy(PREDICTED, Y, label=label).item() for label in range(4)] == pytest.approx(recalls.tolist())
    assert worst_class_accuracy(PREDICTED, Y).item() == pytest.approx(recalls.min())


def test_group_accuracies_are_those_of_the_groups_alone():
    alone = [accuracy(PREDICTED[g == GROUP], Y[g == GROUP]).item() for g in range(4)]
    assert [group_accuracy(PREDICTED, Y, GROUP, group_value=g).item() for g in range(4)] == pytest.approx(alone)
    assert macro_group_accuracy(PREDICTED, Y, GROUP).item() == pytest.approx(sum(alone) / 4)
    assert worst_group_accuracy(PREDICTED, Y, GROUP).item() == pytest.approx(min(alone))


def test_groups_may_have_any_number():
    named_otherwise = GROUP * 1000 - 7
    assert worst_group_accuracy(PREDICTED, Y, named_otherwise) == worst_group_accuracy(PREDICTED, Y, GROUP)


def test_a_class_without_rows_has_no_accuracy():
    assert class_accuracy(PREDICTED, Y, label=9).isnan()


def test_several_labels_are_scikit_learns():
    predicted, present = torch.randint(2, (2, 200, 3), generator=RNG)
    assert exact_match(predicted, present.float()).item() == pytest.approx(accuracy_score(present, predicted))
    each = [accuracy_score(present[:, label], predicted[:, label]) for label in range(3)]
    assert label_accuracy(predicted, present.float()).item() == pytest.approx(sum(each) / 3)
