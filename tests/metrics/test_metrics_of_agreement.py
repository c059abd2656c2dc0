import pytest
import torch
from sklearn.metrics import cohen_kappa_score

from corrigible.metrics import quadratic_kappa

RNG = torch.Generator().manual_seed(0)
PREDICTED, Y = torch.randint(5, (2, 200), generator=RNG)


def test_is_scikit_learns():
    mixed = torch.where(torch.rand(200, generator=RNG) < 0.5, Y, PREDICTED)
    for predicted in (PREDICTED, mixed, (Y + 1).clamp(max=4)):
        expected = cohen_kappa_score(Y, predicted, labels=range(5), weights="quadratic")
        assert quadratic_kappa(predicted, Y).item() == pytest.approx(expected)


def test_the_labels_themselves_agree_and_one_class_alone_says_nothing():
    assert quadratic_kappa(Y, Y) == 1
    assert quadratic_kappa(torch.full_like(Y, 3), torch.full_like(Y, 3)).isnan()
    assert quadratic_kappa(torch.full_like(Y, 2), Y).item() == pytest.approx(0, abs=1e-12)
