from functools import partial

import pytest
import torch

import corrigible
from corrigible.metrics import expected_calibration_error
from corrigible.metrics.calibration import calibration_interval_of


def slow_definition(probs, y, num_bins):
    total = 0.0
    for b in range(1, num_bins + 1):
        rows = [row for row in range(len(y)) if (b - 1) / num_bins < probs[row].max() <= b / num_bins]
        if rows:
            right = sum(int(probs[row].argmax() == y[row]) for row in rows) / len(rows)
            confidence = sum(probs[row].max().item() for row in rows) / len(rows)
            total += len(rows) / len(y) * abs(right - confidence)
    return total


@pytest.mark.parametrize("num_bins", [1, 4, 15])
def test_matches_the_definition(num_bins):
    rng = torch.Generator().manual_seed(0)
    probs = (3 * torch.rand(80, 3, generator=rng, dtype=torch.float64)).softmax(dim=1)
    y = torch.randint(3, (80,), generator=rng)
    expected = slow_definition(probs, y, num_bins)
    assert expected_calibration_error(probs, y, num_bins=num_bins).item() == pytest.approx(expected)


def test_a_bin_holds_its_upper_edge():
    # Confidence 0.5 (wrong) shares the lower of two bins with nothing: 0.5 off; 0.75 (right) is 0.25 off.
    probs = torch.tensor([[0.5, 0.5], [0.25, 0.75]])
    assert expected_calibration_error(probs, torch.tensor([1, 1]), num_bins=2) == (0.5 + 0.25) / 2


def test_certain_and_right_is_calibrated():
    assert expected_calibration_error(torch.eye(3), torch.arange(3)) == 0


def calibrated_up_to(error: float, num_rows: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of a model that is too sure by this much at every confidence: its true calibration error."""
    rng = torch.Generator().manual_seed(seed)
    sure = 0.7 + 0.3 * torch.rand(num_rows, generator=rng, dtype=torch.float64)
    is_right = torch.rand(num_rows, generator=rng, dtype=torch.float64) < sure - error
    return torch.stack([1 - sure, sure], dim=1), is_right.long()


@pytest.mark.every(5)
@pytest.mark.parametrize("error", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("num_rows", [60, 400])
def test_the_interval_holds_the_value_and_in_19_of_20_cases_the_true_error(error, num_rows):
    hits = 0
    for seed in range(60):
        probs, y = calibrated_up_to(error, num_rows, seed)
        low, high = calibration_interval_of(probs, y, num_resamples=200, seed=seed)
        value = expected_calibration_error(probs, y).item()
        assert 0 <= low <= value <= high <= 1
        hits += low <= error <= high
    assert hits >= 53  # Of 60 at 95 %, fewer have a probability of 1 %.


def test_evaluate_gives_this_interval():
    torch.manual_seed(0)
    model, x, y = torch.nn.Linear(3, 2), torch.randn(80, 3), torch.arange(80) % 2
    (found,) = corrigible.evaluate(model, (x, y), metrics=["expected_calibration_error"], num_resamples=100)
    expected = calibration_interval_of(model(x).detach().softmax(dim=1), y, num_resamples=100)
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-6)
    coarse = partial(expected_calibration_error, num_bins=2)
    (found,) = corrigible.evaluate(model, (x, y), metrics=[coarse], num_resamples=100)
    expected = calibration_interval_of(model(x).detach().softmax(dim=1), y, num_bins=2, num_resamples=100)
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-6)
