import pytest
import torch

from corrigible.metrics import interval_coverage


def test_the_right_spread_covers_95_percent():
    rng = torch.Generator().manual_seed(0)
    sd = 0.5 + torch.rand(20_000, generator=rng)
    predicted = torch.randn(20_000, generator=rng)
    y = predicted + sd * torch.randn(20_000, generator=rng)
    assert interval_coverage(predicted, sd, y).item() == pytest.approx(0.95, abs=0.005)
    assert interval_coverage(predicted, 2 * sd, y) > 0.999
