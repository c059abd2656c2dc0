import pytest
import torch

from corrigible.metrics import expected_calibration_error


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
