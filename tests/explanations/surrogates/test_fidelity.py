import numpy as np
import pytest
from sklearn.metrics import r2_score

from corrigible.explanations.surrogates.fidelity import (
    Fidelity,
    agreement_of,
    commonest_of,
    effective_number_of,
    faithful_of,
    r2_of,
)

WEIGHT = np.array([0.5, 0.3, 0.2])


def test_r2_is_the_weighted_share_of_variance():
    predicted, score = np.array([1.0, 2.0, 3.0]), np.array([1.5, 2.0, 5.0])
    assert r2_of(predicted, score, WEIGHT) == pytest.approx(r2_score(score, predicted, sample_weight=WEIGHT))
    # By hand: mean 2.35, variance 1.8025, squared error 0.925.
    assert r2_of(predicted, score, WEIGHT) == pytest.approx(1 - 0.925 / 1.8025)


@pytest.mark.parametrize(("predicted", "expected"), [([4.0, 4.0, 4.0], 1.0), ([4.0, 4.0, 4.1], 0.0)])
def test_where_all_scores_are_equal_they_are_met_or_not(predicted, expected):
    assert r2_of(np.array(predicted), np.full(3, 4.0), WEIGHT) == expected


def test_agreement_and_the_commonest_class_count_by_weight():
    assert agreement_of(np.array([0, 1, 1]), np.array([0, 1, 0]), WEIGHT) == pytest.approx(0.8)
    assert commonest_of(np.array([0, 1, 0]), WEIGHT) == pytest.approx(0.7)


@pytest.mark.parametrize(("wanted", "expected"), [(0.0, 0), (0.5, 2), (0.75, 4), (0.9, 2)])
def test_the_first_that_is_faithful_enough_is_taken_or_the_first_of_the_best(wanted, expected):
    values = [0.2, 0.1, 0.7, 0.7, 0.8] if wanted == 0.75 else [0.2, 0.1, 0.7, 0.7, 0.3]
    assert faithful_of(range(5), lambda place: values[place], wanted) == expected


def test_it_says_whether_the_wanted_fidelity_is_reached():
    assert str(Fidelity("r2", 0.95, 0.0, 0.9, 100, 100.0)) == "R² 0.950 on 100 held-out points (wanted 0.9: reached)"
    found = str(Fidelity("agreement", 0.8, 0.6, 0.9, 50, 41.7))
    assert (
        found
        == "same class 0.800 on 50 held-out points that tell as much as 42 (wanted 0.9: not reached; a constant: 0.600)"
    )


def test_the_effective_number_of_is_that_of_equal_points():
    assert effective_number_of(np.full(7, 1 / 7)) == pytest.approx(7)
    assert effective_number_of(np.array([3.0, 1.0, 0.0])) == pytest.approx(16 / 10)  # By hand: (3 + 1)² / (9 + 1).
