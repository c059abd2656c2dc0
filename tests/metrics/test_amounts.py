import pytest
import torch
from sklearn.metrics import mean_absolute_error as absolute
from sklearn.metrics import r2_score
from sklearn.metrics import root_mean_squared_error as squared

from corrigible.metrics import mean_absolute_error, r2, root_mean_squared_error

RNG = torch.Generator().manual_seed(0)
PREDICTED, Y = torch.randn(2, 200, generator=RNG, dtype=torch.float64)
ONES = torch.ones(200, dtype=torch.float64)
PAIRS = [(mean_absolute_error, absolute), (root_mean_squared_error, squared), (r2, r2_score)]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_is_scikit_learns(ours, theirs):
    for predicted in (PREDICTED, Y + 0.1 * PREDICTED):
        assert ours(predicted, Y, ONES).item() == pytest.approx(theirs(Y, predicted))


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_the_mean_per_unit_of_exposure_is_multiplied_by_it(ours, theirs):
    exposure = 0.5 + Y.abs()
    assert ours(PREDICTED, Y, exposure).item() == pytest.approx(theirs(Y, PREDICTED * exposure))


def test_labels_that_are_all_equal_have_no_variance_to_explain():
    assert r2(PREDICTED, torch.full_like(Y, 0.1), ONES).isnan()


def test_the_mean_label_explains_nothing():
    assert r2(Y.mean().expand(200), Y, ONES).item() == pytest.approx(0, abs=1e-12)


def test_ordered_classes_have_distances_too():
    assert mean_absolute_error(torch.tensor([0, 2]), torch.tensor([2, 1]), torch.ones(2)) == 1.5
