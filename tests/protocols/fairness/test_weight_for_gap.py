"""The search for the weight that reaches a gap."""

import pytest

from corrigible.protocols.fairness.weight_for_gap import GapTrial, on_fine_grid, search_weight


def falling(weight: float) -> GapTrial:
    """A gap that falls as the weight grows, at a rising loss."""
    return GapTrial(weight, 0.2 / (1 + weight), 0.3 + 0.01 * weight)


@pytest.mark.parametrize("start", [0.03, 1.0, 200.0])
def test_the_gap_is_reached_and_hardly_more(start):
    found = search_weight(falling, start=start, asked=0.05)
    assert found.has_reached and 0.9 * 0.05 <= found.chosen.gap <= 0.05
    assert found.chosen.weight == min(trial.weight for trial in found.trials if trial.gap <= 0.05)
    assert len(found.trials) <= 10


def test_without_a_gap_near_the_one_asked_for_the_smallest_weight_of_the_grid_is_chosen():
    found = search_weight(lambda w: GapTrial(w, 0.0 if w >= 5.1 else 0.2, w), start=1.0, asked=0.05)
    assert found.chosen.weight == min(w for w in (on_fine_grid(1.0, place) for place in range(20)) if w >= 5.1)


def test_what_no_weight_reaches_is_said_with_the_nearest():
    found = search_weight(lambda weight: GapTrial(weight, 0.1 + 0.1 / (1 + weight), 1.0), start=1.0, asked=0.05)
    assert not found.has_reached
    assert found.chosen.gap == min(trial.gap for trial in found.trials)


def test_a_gap_that_is_reached_between_two_weights_alone_is_found():
    """Larger weights overshoot: of soft decisions there is no gap left, and of decisions the opposite one."""

    def overshooting(weight: float) -> GapTrial:
        return GapTrial(weight, abs(0.2 - 0.1 * weight) + 0.01, 1.0)

    found = search_weight(overshooting, start=0.3, asked=0.1)
    assert found.has_reached


def test_the_least_loss_decides_among_weights_that_reach_the_gap():
    losses = {1.0: 0.5, 4.0: 0.4}
    found = search_weight(lambda w: GapTrial(w, 0.01, losses.get(w, 0.9)), start=4.0, asked=0.05)
    assert found.chosen.loss == min(trial.loss for trial in found.trials) == 0.4


def test_where_the_gap_turns_around_weights_between_are_tried_before_larger_ones():
    """The gap is below .05 between weights 6.2 and 9.8 alone, and far above, where all is decided alike."""

    def turning(weight: float) -> GapTrial:
        return GapTrial(weight, 0.0 if weight > 500 else abs(0.22 - 0.0275 * weight), 0.3 + 0.01 * weight)

    found = search_weight(turning, start=0.9, asked=0.05)
    assert found.has_reached and 6 < found.chosen.weight < 10
    assert max(trial.weight for trial in found.trials) < 100


def test_what_is_worse_than_a_constant_guess_reaches_nothing():
    def ruining(weight: float) -> GapTrial:
        return GapTrial(weight, 0.2 / (1 + weight), weight, 0.8 - 0.1 * weight)

    found = search_weight(ruining, start=1.0, asked=0.05, least_quality=0.7)
    assert not found.has_reached
    assert found.chosen.quality >= 0.7
    assert search_weight(ruining, start=1.0, asked=0.12, least_quality=0.7).has_reached
