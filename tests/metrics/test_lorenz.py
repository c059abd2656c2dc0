import numpy as np
import pytest
import torch
from sklearn.metrics import auc, roc_auc_score

from corrigible.metrics import gini

RNG = torch.Generator().manual_seed(0)
PREDICTED, Y, EXPOSURE = 0.1 + torch.rand(3, 200, generator=RNG, dtype=torch.float64)


def of_scikit_learns_example(y, predicted, exposure):
    """Twice the area of the Lorenz curve in scikit-learn's example of Tweedie regression on insurance claims."""
    ranking = np.argsort(predicted.numpy())
    amounts, exposures = y.numpy()[ranking], exposure.numpy()[ranking]
    shares = [np.concatenate([[0], values.cumsum() / values.sum()]) for values in (exposures, amounts)]
    return 1 - 2 * auc(*shares)


def test_is_the_examples_divided_by_that_of_the_labels():
    expected = of_scikit_learns_example(Y, PREDICTED, EXPOSURE) / of_scikit_learns_example(Y, Y / EXPOSURE, EXPOSURE)
    assert gini(PREDICTED, Y, EXPOSURE).item() == pytest.approx(expected)


def test_the_rates_themselves_have_1_and_the_opposite_order_less_than_0():
    assert gini(Y / EXPOSURE, Y, EXPOSURE).item() == pytest.approx(1)
    assert gini(-Y / EXPOSURE, Y, EXPOSURE).item() == pytest.approx(-1)


def test_for_labels_of_0_and_1_it_is_that_of_the_roc_curve():
    y, ones = (Y > 0.5).double(), torch.ones_like(Y)
    predicted = PREDICTED.round(decimals=1)
    assert gini(predicted, y, ones).item() == pytest.approx(2 * roc_auc_score(y, predicted) - 1)


def test_equal_predictions_order_nothing():
    assert gini(torch.ones_like(Y), Y, EXPOSURE).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("y", [[0.0, 0.0], [2.0, 2.0], [-1.0, 2.0]])
def test_is_undefined_without_positive_amounts_that_differ(y):
    assert gini(torch.tensor([1.0, 2.0]), torch.tensor(y), torch.ones(2)).isnan()
