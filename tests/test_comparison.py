"""Measurements side by side: which way is better."""

import pytest

from corrigible.comparison import HIGHER_IS_BETTER, LOWER_IS_BETTER, NEITHER_IS_BETTER, is_improvement
from corrigible.metrics import METRICS
from corrigible.types import Measurement


def test_of_every_metric_it_is_said_which_way_is_better():
    ways = [*HIGHER_IS_BETTER, *LOWER_IS_BETTER, *NEITHER_IS_BETTER]
    assert sorted(ways) == sorted(METRICS)


@pytest.mark.parametrize(
    ("metric", "low", "high", "expected"),
    [
        ("accuracy", 0.1, 0.2, True),
        ("accuracy", -0.2, -0.1, False),
        ("flip_rate", 0.1, 0.2, False),
        ("flip_rate", -0.2, -0.1, True),
        ("accuracy", -0.1, 0.2, None),
        ("accuracy", 0.0, 0.2, None),
        ("accuracy", None, None, None),
        ("interval_coverage", 0.1, 0.2, None),
        ("my_module:my_metric", 0.1, 0.2, None),
    ],
)
def test_a_change_that_may_be_chance_is_neither_better_nor_worse(metric, low, high, expected):
    assert is_improvement(Measurement(metric, 0.1, low, high)) is expected
