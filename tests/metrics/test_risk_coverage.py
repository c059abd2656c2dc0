import numpy as np
import pytest
import torch

from corrigible.metrics import aurc


def sure(confidence, is_right):
    """Rows of two classes that are predicted with this confidence, right or wrong."""
    confidence = torch.tensor(confidence, dtype=torch.float64)
    return torch.stack([1 - confidence, confidence], dim=1), torch.tensor(is_right).long()


def risk_at(coverage, confidence, is_right):
    """The definition: the share of wrong rows among the surest rows that make up this share of all."""
    order = np.argsort(-np.asarray(confidence), kind="stable")
    wrong, left, total = 1 - np.asarray(is_right)[order], coverage * len(order), 0.0
    for row in range(len(order)):
        part = min(1.0, max(0.0, left - row))
        total += part * wrong[row]
    return total / left


def test_is_the_area_under_the_curve():
    confidence, is_right = [0.95, 0.9, 0.8, 0.7, 0.6, 0.55], [1, 0, 1, 1, 0, 1]
    steps = (np.arange(6000) + 0.5) / 6000
    area = np.mean([risk_at(coverage, confidence, is_right) for coverage in steps])
    assert aurc(*sure(confidence, is_right)).item() == pytest.approx(area, abs=1e-6)


def test_is_the_mean_risk_of_the_surest_rows_where_there_are_many():
    rng = np.random.default_rng(0)
    confidence = 0.5 + 0.5 * rng.random(20_000)
    is_right = rng.random(20_000) < confidence
    wrong = ~is_right[np.argsort(-confidence)]
    mean_over_k = (wrong.cumsum() / np.arange(1, len(wrong) + 1)).mean()
    assert aurc(*sure(confidence, is_right)).item() == pytest.approx(mean_over_k, rel=1e-3)


def test_errors_that_confidence_does_not_tell_give_the_error_rate():
    assert aurc(*sure([0.7] * 8, [1, 1, 1, 0, 1, 1, 0, 1])).item() == pytest.approx(0.25)


@pytest.mark.parametrize(("is_right", "expected"), [([1] * 4, 0.0), ([0] * 4, 1.0)])
def test_always_right_is_0_and_always_wrong_1(is_right, expected):
    assert aurc(*sure([0.9, 0.8, 0.7, 0.6], is_right)).item() == pytest.approx(expected)


def test_it_is_lower_where_the_errors_are_the_least_sure():
    confidence = [0.9, 0.8, 0.7, 0.6]
    late, early = (aurc(*sure(confidence, right)).item() for right in ([1, 1, 1, 0], [0, 1, 1, 1]))
    assert late < 0.25 < early
