import math
from functools import partial

import pytest
import torch
from sklearn import metrics as sklearn

from corrigible.metrics import (
    deviance_explained,
    mean_gamma_deviance,
    mean_poisson_deviance,
    mean_tweedie_deviance,
)

RNG = torch.Generator().manual_seed(0)
PREDICTED, EXPOSURE = 0.1 + 2 * torch.rand(2, 300, generator=RNG, dtype=torch.float64)
COUNTS = torch.poisson(EXPOSURE * PREDICTED * 1.3, generator=RNG)
COSTS = 0.01 + torch.rand(300, generator=RNG, dtype=torch.float64)
PAIRS = [
    (mean_poisson_deviance, sklearn.mean_poisson_deviance, COUNTS),
    (deviance_explained, partial(sklearn.d2_tweedie_score, power=1), COUNTS),
    (mean_gamma_deviance, sklearn.mean_gamma_deviance, COSTS),
    (mean_tweedie_deviance, partial(sklearn.mean_tweedie_deviance, power=1.5), COUNTS),
    (partial(mean_tweedie_deviance, power=1.9), partial(sklearn.mean_tweedie_deviance, power=1.9), COSTS),
]
EVERY = (mean_poisson_deviance, deviance_explained, mean_gamma_deviance, mean_tweedie_deviance)


@pytest.mark.parametrize(("ours", "theirs", "y"), PAIRS)
def test_is_scikit_learns_of_rates_weighted_by_exposure(ours, theirs, y):
    expected = theirs(y / EXPOSURE, PREDICTED, sample_weight=EXPOSURE)
    assert ours(PREDICTED, y, EXPOSURE).item() == pytest.approx(expected)


@pytest.mark.parametrize(("ours", "theirs", "y"), PAIRS)
def test_is_scikit_learns_without_exposure(ours, theirs, y):
    assert ours(PREDICTED, y, torch.ones_like(y)).item() == pytest.approx(theirs(y, PREDICTED))


def test_a_row_may_be_split_into_parts_of_its_exposure():
    whole = [torch.tensor(values, dtype=torch.float64) for values in ([0.5, 2], [4, 1], [4, 2])]
    parts = [torch.tensor(values, dtype=torch.float64) for values in ([0.5, 0.5, 2], [2, 2, 1], [2, 2, 2])]
    for metric in EVERY:
        assert metric(*parts).item() == pytest.approx(metric(*whole).item())


def test_the_mean_rate_explains_nothing_and_the_rates_themselves_everything():
    mean = (COUNTS.sum() / EXPOSURE.sum()).expand(300)
    assert deviance_explained(mean, COUNTS, EXPOSURE).item() == pytest.approx(0, abs=1e-12)
    rates = (COUNTS + 1) / EXPOSURE
    assert deviance_explained(rates, COUNTS + 1, EXPOSURE).item() == pytest.approx(1)


@pytest.mark.parametrize("metric", EVERY)
@pytest.mark.parametrize(("predicted", "y"), [(0.0, 1.0), (-1.0, 1.0), (1.0, -1.0)])
def test_is_undefined_for_what_the_distribution_does_not_have(metric, predicted, y):
    predicted, y = (torch.tensor([2.0, value], dtype=torch.float64) for value in (predicted, y))
    assert metric(predicted, y, torch.ones_like(y)).isnan()


def test_a_cost_of_0_is_not_gamma():
    y = torch.tensor([0.0, 1.0])
    assert mean_gamma_deviance(torch.ones(2), y, torch.ones(2)).isnan()
    assert math.isfinite(mean_tweedie_deviance(torch.ones(2), y, torch.ones(2)))


def test_rates_that_are_all_equal_leave_nothing_to_explain():
    assert deviance_explained(torch.ones(2), torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0])).isnan()
