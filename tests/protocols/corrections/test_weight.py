"""The search for a penalty's weight, among trials with scripted results."""

import math

import pytest
import torch
from torch import nn

from corrigible import Feedback
from corrigible.errors import CorrectionRefusedError, TrainingDivergedError
from corrigible.feedback.masks import marks_of
from corrigible.objective import terms_of
from corrigible.protocols.corrections.starting_weight import starting_weight
from corrigible.protocols.corrections.trials import Trials, folds_of
from corrigible.protocols.corrections.weight import (
    FLAT,
    MOST_TRIALS,
    NUM_LOSSES,
    NUM_ROWS_WITH_ERROR,
    WeightChoice,
    choose_weight,
    is_clearly_below,
    least_reliant_of_the_best,
    on_grid,
    worse_classes,
)
from corrigible.protocols.schedule import Schedule
from corrigible.protocols.training_facts import Known
from cue_data import cue_data
from scripted import judged

CASE = cue_data("numbers", num_reviewed=12)
BEFORE = judged(log_likelihood=-3.0, hits=0.0, change=0.9)
"""The uncorrected model."""


def searched(monkeypatch, result, *, before=BEFORE, start=1.0):
    """All that the search tells; ``result`` gives what the judge finds at each place of the grid."""
    tried = []

    def run(self, terms, known):
        tried.append(terms[-1].weight)
        place = next(place for place in range(-20, 20) if on_grid(start, place) == tried[-1])
        return result(place)

    monkeypatch.setattr(Trials, "run", run)
    monkeypatch.setattr(Trials, "uncorrected", lambda self, model: before)
    monkeypatch.setattr("corrigible.protocols.corrections.weight.starting_weight", lambda *a, **k: start)
    folds = folds_of(CASE.data, CASE.marks, validation=None, validation_marks=None, seed=0)
    trials = Trials(Schedule(), folds)
    (term,) = terms_of({"right_reasons": "auto"}, may_be_auto=True)
    told, error = [], None
    try:
        told = [*choose_weight(term, [], trials, Known(nn.Identity(), CASE.data, CASE.marks, 0))]
    except (CorrectionRefusedError, TrainingDivergedError) as raised:
        error = raised
    return tried, told, error


def peak_at(best):
    """Worse by a nat with each place further from the best one."""
    return lambda place: judged(log_likelihood=-0.1 - abs(place - best), change=0.1)


@pytest.mark.parametrize("best", [-20, -2, -1, 0, 1, 2, 5, 20])
def test_a_direction_ends_after_places_that_gain_nothing(monkeypatch, best):
    """Upwards first; downwards then, unless the first places were lost on the way up."""
    tried, told, _ = searched(monkeypatch, peak_at(best))
    up = [*range(max(0, best) + NUM_LOSSES + 1)]
    down = [*range(-1, min(0, best - NUM_LOSSES) - 1, -1)]
    expected = [*up, *down][:MOST_TRIALS]
    assert tried == [on_grid(1.0, place) for place in expected]
    choice = told[-1]
    assert choice.weight == on_grid(1.0, min(max(best, min(expected)), max(expected)))
    assert [trial.weight for trial in choice.trials] == tried
    assert [trial.number for trial in choice.trials] == [*range(1, len(tried) + 1)]
    assert {trial.num_trials for trial in choice.trials} == {MOST_TRIALS}
    assert list(choice.trials) == told[:-1]


@pytest.mark.parametrize("falls", ["score", "reliance"])
def test_places_that_rely_less_and_less_are_no_losses(monkeypatch, falls):
    def result(place):
        step = 0.06 * place
        return judged(log_likelihood=-0.9 + step) if falls == "score" else judged(change=0.5 - step)

    tried, told, _ = searched(monkeypatch, result)
    assert len(tried) == MOST_TRIALS
    assert told[-1].weight == max(tried)


def test_where_all_places_are_alike_the_search_is_short_and_the_least_weight_is_taken(monkeypatch):
    tried, told, _ = searched(monkeypatch, lambda place: judged())
    assert len(tried) <= 2 * NUM_LOSSES + 1
    assert told[-1].weight == min(tried)


def test_a_weight_with_which_a_class_is_worse_off_is_not_chosen(monkeypatch):
    """It scores best in the mean and relies on nothing: a network that always says class 0."""

    def result(place):
        if place == 1:
            return judged(log_likelihood=[0.0, -9.0] * 20, hits=[1.0, 0.0] * 20)
        return judged(log_likelihood=-6.0 - 0.1 * abs(place), hits=1.0, change=0.3)

    before = judged(log_likelihood=-6.5, hits=0.1, change=0.9)
    _, told, _ = searched(monkeypatch, result, before=before)
    refused = [trial for trial in told[:-1] if trial.is_refused]
    assert [trial.weight for trial in refused] == [on_grid(1.0, 1)]
    assert refused[0].swap_score == max(trial.swap_score for trial in told[:-1])
    assert told[-1].weight == 1.0


def test_where_every_weight_is_refused_a_line_says_what_to_do(monkeypatch):
    tried, told, error = searched(monkeypatch, lambda place: judged(log_likelihood=[-0.1, -9.0] * 20, hits=0.0))
    assert isinstance(error, CorrectionRefusedError)
    assert "\n" not in str(error)
    assert str(error).startswith(f"right_reasons makes a class worse with each of {len(tried)} weights")
    assert "the log-likelihood of class 1 is −9.000, uncorrected −3.000" in str(error)
    assert "review more rows, or look at the masks again" in str(error)
    assert len(tried) <= MOST_TRIALS
    assert not told


@pytest.mark.parametrize("least", [3, 1, -2])
def test_weights_as_large_as_one_that_diverged_are_not_tried(monkeypatch, least):
    def result(place):
        if place >= least:
            raise TrainingDivergedError("too large")
        return judged(log_likelihood=0.1 * (place - 20))

    tried, told, _ = searched(monkeypatch, result)
    diverged = [weight for weight in tried if weight >= on_grid(1.0, least)]
    assert diverged == sorted(diverged, reverse=least < 0)
    assert len(diverged) == max(1, 1 - least)
    assert told[-1].weight == on_grid(1.0, least - 1)


def test_where_training_always_diverges_the_error_is_raised(monkeypatch):
    def result(place):
        raise TrainingDivergedError("too large")

    tried, told, error = searched(monkeypatch, result)
    assert isinstance(error, TrainingDivergedError)
    assert len(tried) <= MOST_TRIALS + 2
    assert not told


def test_a_penalty_without_a_gradient_gets_weight_0(monkeypatch):
    tried, told, _ = searched(monkeypatch, peak_at(0), start=None)
    assert told == [WeightChoice("right_reasons", 0.0, told[0].message)]
    assert "does not rely on the marked inputs" in told[0].message
    assert not tried


def test_the_message_says_whether_rows_were_held_back(monkeypatch):
    _, told, _ = searched(monkeypatch, peak_at(1))
    assert told[-1].message == (
        "right_reasons gets weight 3: swap score −0.100 ± 0.000, uncorrected −3.000; accuracy 100\u00a0% "
        "with marked content exchanged (uncorrected 0\u00a0%), 100\u00a0% on these rows as they are"
    )
    monkeypatch.setattr(Trials, "are_held_out", False)
    _, told, _ = searched(monkeypatch, peak_at(1))
    assert told[-1].message.endswith("too few rows are reviewed to hold any back: these rows taught it")


def noisy(mean, *, change=0.0, size=16, seed=0):
    """Rows that differ by about a nat."""
    spread = torch.randn(size, generator=torch.Generator().manual_seed(seed))
    return judged([0, 1] * (size // 2), log_likelihood=(mean + spread - spread.mean()).tolist(), change=change)


def test_of_places_that_are_as_good_the_least_reliant_is_taken_and_of_these_the_least_weight():
    best, hardly = noisy(-2.0, change=0.5), noisy(-2.05, change=0.1, seed=1)
    assert not is_clearly_below(hardly, best)
    assert least_reliant_of_the_best({0: best, 1: hardly}) == 1
    assert least_reliant_of_the_best({0: noisy(-2.05, change=0.1 + FLAT / 2, seed=1), 1: best, 2: hardly}) == 0
    clearly = noisy(-2.1, change=0.0)  # 0.1 behind on every row.
    assert is_clearly_below(clearly, best)
    assert least_reliant_of_the_best({0: best, 1: clearly}) == 0


def test_of_too_few_rows_to_tell_the_best_place_is_taken():
    size = NUM_ROWS_WITH_ERROR - NUM_ROWS_WITH_ERROR % 2
    for few, expected in ((size - 2, 0), (size + 2, 1)):
        found = {0: noisy(-2.0, change=0.5, size=few), 1: noisy(-2.01, size=few, seed=1)}
        assert least_reliant_of_the_best(found) == expected


def test_a_class_is_worse_off_where_its_label_is_clearly_less_likely_and_no_oftener_right():
    before = judged(log_likelihood=-1.0, hits=0.5)
    assert worse_classes(judged(log_likelihood=[-1.0, -1.0 - 20 * FLAT] * 20, hits=0.5), before) == [1]
    assert worse_classes(judged(log_likelihood=[-1.0, -9.0] * 20, hits=[0.5, 0.4] * 20), before) == [1]
    assert worse_classes(judged(log_likelihood=[-1.0, -9.0] * 20, hits=[0.5, 0.6] * 20), before) == []
    assert worse_classes(judged(log_likelihood=-1.0 - FLAT / 2, hits=0.5), before) == []
    assert worse_classes(before, before) == []


def test_less_likely_by_chance_is_not_worse_off():
    before, after = noisy(-1.0, size=40), noisy(-1.05, size=40, seed=1)
    assert worse_classes(after, before) == []


def test_the_grid_goes_up_by_about_half_a_power_of_ten():
    assert [on_grid(1.0, place) for place in range(-4, 5)] == [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100]
    assert on_grid(0.123, 1) == 0.37
    assert all(math.log10(on_grid(2.0, place + 2) / on_grid(2.0, place)) == pytest.approx(1) for place in range(-9, 9))


def test_the_starting_weight_balances_the_gradients():
    """Doubling the penalty halves the weight."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4), nn.Softplus(), nn.Linear(4, 3))
    marks = marks_of([Feedback("scanner", scope="dataset")], CASE.data)
    known = Known(model, CASE.data, marks, 0)
    (auto,) = terms_of({"gradient_size": "auto"}, may_be_auto=True)
    (fixed,) = terms_of({"gradient_size": 7.0})
    first, again = (starting_weight(term, known, Schedule()) for term in (auto, fixed))
    assert first == again > 0
