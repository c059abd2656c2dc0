import pytest
import torch
from sklearn.metrics import mean_pinball_loss as theirs

from corrigible.metrics import mean_pinball_loss, quantile_calibration_error

RNG = torch.Generator().manual_seed(0)
Y = torch.randn(4000, generator=RNG, dtype=torch.float64)
LEVELS = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)


def repeated(values):
    return values.repeat(len(Y), 1)


def test_pinball_loss_is_scikit_learns_mean_over_levels():
    quantiles = torch.randn(4000, 3, generator=RNG, dtype=torch.float64).sort(dim=1).values
    expected = [theirs(Y, quantiles[:, place], alpha=float(level)) for place, level in enumerate(LEVELS)]
    assert mean_pinball_loss(quantiles, repeated(LEVELS), Y).item() == pytest.approx(sum(expected) / 3)


def test_the_quantiles_themselves_are_calibrated():
    assert quantile_calibration_error(repeated(Y.quantile(LEVELS)), repeated(LEVELS), Y) < 1e-3


def test_quantiles_below_every_label_are_off_by_their_levels():
    below = repeated(torch.full_like(LEVELS, -100))
    assert quantile_calibration_error(below, repeated(LEVELS), Y).item() == pytest.approx(0.5)
