from functools import partial

import pytest
import torch

import corrigible
from corrigible.errors import DataError, RecipeError
from corrigible.metrics import (
    adaptive_calibration_error,
    aurc,
    brier_score,
    calibration,
    classwise_calibration_error,
    expected_calibration_error,
)
from corrigible.metrics.calibration import adaptive_interval_of, calibration_interval_of, classwise_interval_of


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


METRICS_OF_PROBS = [
    *(adaptive_calibration_error, classwise_calibration_error, expected_calibration_error),
    *(brier_score, aurc),
]
every_metric = pytest.mark.parametrize("metric", METRICS_OF_PROBS)


@every_metric
@pytest.mark.parametrize("label", [-1, 2])
def test_labels_that_the_model_has_no_class_for_are_refused(metric, label):
    with pytest.raises(DataError, match=f"label {label}; the model has 2 classes"):
        metric(torch.tensor([[0.9, 0.1], [0.2, 0.8]]), torch.tensor([0, label]))


@every_metric
def test_probabilities_that_are_nan_give_nan(metric):
    assert metric(torch.tensor([[0.9, 0.1], [torch.nan, torch.nan]]), torch.tensor([0, 1])).isnan()


@pytest.mark.parametrize("metric", METRICS_OF_PROBS[:3])
@pytest.mark.parametrize("num_bins", [0, -1])
def test_a_number_of_bins_that_is_none_is_refused(metric, num_bins):
    with pytest.raises(RecipeError, match=f"num_bins is {num_bins}; expected a whole number"):
        metric(torch.tensor([[0.9, 0.1]]), torch.tensor([0]), num_bins=num_bins)


def test_metrics_with_an_interval_of_their_own_are_not_measured_on_resamples_too(monkeypatch):
    calls = []
    monkeypatch.setattr(calibration, "_in_equal_counts", lambda *given: calls.append(1) or cells(*given))
    cells = calibration._in_equal_widths
    model, rows = torch.nn.Linear(2, 2), (torch.rand(20, 2), torch.arange(20) % 2)
    (found,) = corrigible.evaluate(model, rows, metrics=["adaptive_calibration_error"], num_resamples=30)
    assert found.low <= found.value <= found.high
    assert len(calls) == 2


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


def drawn(num_rows, num_classes=3, seed=0):
    rng = torch.Generator().manual_seed(seed)
    probs = (3 * torch.rand(num_rows, num_classes, generator=rng, dtype=torch.float64)).softmax(dim=1)
    return probs, torch.randint(num_classes, (num_rows,), generator=rng)


def slow_classwise(probs, y, num_bins):
    total = 0.0
    for label in range(probs.shape[1]):
        for b in range(1, num_bins + 1):
            rows = [row for row in range(len(y)) if (b - 1) / num_bins < probs[row, label] <= b / num_bins]
            if rows:
                rate = sum(int(y[row] == label) for row in rows) / len(rows)
                mean = sum(probs[row, label].item() for row in rows) / len(rows)
                total += len(rows) / len(y) * abs(rate - mean)
    return total / probs.shape[1]


def slow_adaptive(probs, y, num_bins):
    """With as many rows as a multiple of the bins, and without ties: rows are cut into equal parts."""
    total, size = 0.0, len(y) // num_bins
    for label in range(probs.shape[1]):
        order = sorted(range(len(y)), key=lambda row: probs[row, label].item())
        for b in range(num_bins):
            rows = order[b * size : (b + 1) * size]
            rate = sum(int(y[row] == label) for row in rows) / size
            total += abs(rate - sum(probs[row, label].item() for row in rows) / size)
    return total / (probs.shape[1] * num_bins)


@pytest.mark.parametrize("num_bins", [1, 4, 15])
def test_class_by_class_they_match_the_definition(num_bins):
    probs, y = drawn(60)
    assert classwise_calibration_error(probs, y, num_bins=num_bins).item() == pytest.approx(
        slow_classwise(probs, y, num_bins)
    )
    assert adaptive_calibration_error(probs, y, num_bins=num_bins).item() == pytest.approx(
        slow_adaptive(probs, y, num_bins)
    )


def test_a_row_between_two_bins_of_equal_counts_is_divided():
    # Three rows in two bins: half of the middle row is in each.
    probs = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]], dtype=torch.float64)
    first, second = abs(0.1 + 0.5 * 0.5), abs(0.5 * 0.5 + 0.8 - 1)
    expected = (first + second) / 3
    assert adaptive_calibration_error(probs, torch.tensor([0, 0, 1]), num_bins=2).item() == pytest.approx(expected)


def test_rows_of_equal_probability_count_alike_whatever_their_order():
    probs = torch.full((10, 2), 0.5, dtype=torch.float64)
    y = torch.tensor([1] * 5 + [0] * 5)
    assert adaptive_calibration_error(probs, y, num_bins=5).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("metric", "interval_of"),
    [(classwise_calibration_error, classwise_interval_of), (adaptive_calibration_error, adaptive_interval_of)],
)
def test_intervals_class_by_class_hold_the_value_and_mostly_the_true_error(metric, interval_of):
    hits = 0
    for seed in range(30):
        probs, y = calibrated_up_to(0.1, 200, seed)
        low, high = interval_of(probs, y, num_resamples=60, seed=seed)
        value = metric(probs, y).item()
        assert 0 <= low <= value <= high <= 1
        hits += low <= 0.1 <= high
    assert hits >= 25


def test_the_brier_score_is_that_of_scikit_learn():
    from sklearn.metrics import brier_score_loss

    probs, y = drawn(50, num_classes=2)
    assert brier_score(probs, y).item() == pytest.approx(2 * brier_score_loss(y.numpy(), probs[:, 1].numpy()))
    probs, y = drawn(50, num_classes=4)
    slow = sum((probs[row, label].item() - (y[row] == label).item()) ** 2 for row in range(50) for label in range(4))
    assert brier_score(probs, y).item() == pytest.approx(slow / 50)


def test_the_mean_loss_is_the_negative_log_likelihood_under_its_other_names():
    from corrigible.errors import RecipeError

    torch.manual_seed(0)
    model, x, y = torch.nn.Linear(3, 2), torch.randn(40, 3), torch.arange(40) % 2
    (found,) = corrigible.evaluate(model, (x, y), metrics=["mean_loss"], num_resamples=0)
    expected = torch.nn.functional.cross_entropy(model(x), y).item()
    assert found.value == pytest.approx(expected, rel=1e-6)
    for name in ("nll", "negative_log_likelihood", "log_loss"):
        with pytest.raises(RecipeError, match="mean_loss"):
            corrigible.evaluate(model, (x, y), metrics=[name], num_resamples=0)
