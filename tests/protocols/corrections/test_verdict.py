"""How a correction is said to have gone, from what a judge found before and after it."""

import re

import pytest
import torch
from torch.nn.functional import pad

from corrigible.protocols.corrections.exchanges import AS_FOUND, SWAPPED, WORN
from corrigible.protocols.corrections.judged import Judged
from corrigible.protocols.corrections.verdict import (
    CLEARLY,
    COLLAPSED,
    FELL,
    KEPT,
    LITTLE,
    Verdict,
    beside_chance,
    fell_clearly,
    verdict,
)
from corrigible.tasks import CLASSES, task_named
from scripted import judged

MANY = [0, 1] * 1000
TINY = 1e-6


def said(before: Judged, after: Judged, **settings) -> Verdict:
    return verdict(before, after, CLASSES, rows=(len(after.y), "training"), **settings)


def relying(change: float, *, pull: float | None = None, hits: float = 0.9) -> Judged:
    return judged(change=change, pull=change if pull is None else pull, hits=hits)


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [
        (0.4, FELL * 0.4 - TINY, "corrected"),
        (0.4, FELL * 0.4 + TINY, "partly corrected"),
        (0.4, CLEARLY * 0.4 - TINY, "partly corrected"),
        (0.4, CLEARLY * 0.4 + TINY, "failed"),
        (0.4, 0.4, "failed"),
        (0.4, 0.6, "failed"),
        (LITTLE - TINY, LITTLE - TINY, "no reliance found"),
        (LITTLE - TINY, 0.0, "no reliance found"),
        (LITTLE + TINY, LITTLE / 2 - TINY, "corrected"),
        (LITTLE + TINY, LITTLE, "failed"),
    ],
)
def test_the_outcome_follows_from_how_far_the_reliance_fell(before, after, outcome):
    found = said(relying(before), relying(after))
    assert found.outcome == outcome
    assert (found.reliance_before, found.reliance_after) == pytest.approx((before, after))


def test_where_content_only_hides_something_half_is_enough():
    """The attraction to the class that the content is from fell to a quarter."""
    before, half = relying(0.4), 2 * FELL * 0.4 - TINY
    assert fell_clearly(before, relying(half, pull=FELL * 0.4 - TINY))
    assert not fell_clearly(before, relying(half, pull=FELL * 0.4 + TINY))
    assert not fell_clearly(before, relying(half + 2 * TINY, pull=0.0))


def test_what_hides_something_has_not_failed_where_the_attraction_fell_to_half():
    before, high = relying(0.4), CLEARLY * 0.4 + TINY
    assert said(before, relying(high, pull=2 * FELL * 0.4 - TINY)).outcome == "partly corrected"
    assert said(before, relying(high, pull=2 * FELL * 0.4 + TINY)).outcome == "failed"
    # Where nothing was attracted before, nothing can have fallen.
    assert said(relying(0.4, pull=0.0), relying(high, pull=-0.1)).outcome == "failed"


def test_rows_as_they_were_found_do_not_dilute_the_reliance():
    settings = {"part": [WORN, AS_FOUND] * 20}
    found = said(judged(change=[0.4, 0.0] * 20, **settings), judged(change=[0.39, 0.0] * 20, **settings))
    assert found.outcome == "failed"
    assert found.reliance_before == pytest.approx(0.4)


def without_class(share: float) -> Judged:
    """Class 1 is predicted on this share of all rows, as of the rows of either class."""
    count = round(share * len(MANY) / 2)
    predicted = [1 if place // 2 < count else 0 for place in range(len(MANY))]
    hits = [float(guess == label) for guess, label in zip(predicted, MANY, strict=True)]
    return judged(MANY, predicted=predicted, hits=hits)


def test_a_model_that_gave_up_a_class_failed():
    before = judged(MANY, hits=0.3, change=0.5)
    found = said(before, without_class(0.0), class_names=("cats", "dogs"))
    assert found.outcome == "failed"
    assert "class dogs is hardly ever predicted any more" in found.sentence
    assert (found.worst_class, found.worst_class_accuracy) == ("dogs", 0.0)


def test_a_class_is_given_up_below_a_share_of_its_fair_share():
    before, fair = judged(MANY, hits=0.3, change=0.5), 1 / 2
    few, enough = (said(before, without_class(COLLAPSED * fair + step)) for step in (-0.01, 0.01))
    assert "class 1 is hardly ever predicted" in few.sentence
    assert "hardly ever predicted" not in enough.sentence


def test_a_model_that_only_guesses_is_not_called_corrected():
    """Flat predictions hardly move when content is exchanged, and the content may still decide each of them."""
    before = judged(MANY, hits=0.1, change=0.6)
    for hits, told in ((0.1, "predicts worse than guessing"), (0.5, "predicts no better than guessing")):
        found = said(before, judged(MANY, hits=hits, change=0.02))
        assert found.outcome == "failed" and found.reasons.endswith(told)
        assert found.sentence.count("guessing") == 1
    assert said(before, judged(MANY, hits=0.6, change=0.02)).outcome == "corrected"


def test_a_class_that_was_never_predicted_before_is_not_blamed_on_the_correction():
    before = without_class(0.1)
    assert "hardly ever" not in said(before, without_class(0.1)).sentence
    assert "hardly ever" in said(before, without_class(0.05)).sentence


def test_a_class_that_no_judged_row_has_need_not_be_predicted():
    before = judged([0, 1] * 10, predicted=[0, 1, 2, 1] * 5, hits=0.75, change=0.5)
    assert said(before, judged([0, 1] * 10, predicted=[0, 1] * 9 + [0, 2])).outcome == "corrected"
    after = judged([0, 1] * 10)
    widened = Judged(**{**vars(after), "predicted": pad(after.predicted, (0, 1))})
    assert said(before, widened).outcome == "corrected"


@pytest.mark.parametrize(("lost", "fails"), [(KEPT - TINY, False), (KEPT + TINY, True)])
def test_a_model_that_is_less_often_right_than_before_failed(lost, fails):
    found = said(relying(0.5, hits=0.8), relying(0.0, hits=0.8 - lost))
    assert (found.outcome == "failed") == fails
    assert ("less often right than before" in found.sentence) == fails


@pytest.mark.parametrize(("lost", "fails"), [(2 * KEPT - TINY, False), (2 * KEPT + TINY, True)])
def test_a_model_that_is_less_often_right_under_a_random_confounder_failed(lost, fails):
    """With two marked classes a random confounder shows each row's own content half of the time."""
    before, after = (judged(hits=0.8, change=change, found_hits=hits) for change, hits in ((0.5, 0.9), (0, 0.9 - lost)))
    found = said(before, after)
    assert (found.outcome == "failed") == fails
    assert ("drawn at random it is less often right than before" in found.sentence) == fails


def test_a_random_confounder_is_drawn_from_the_contents_that_there_are():
    both, one = [SWAPPED, SWAPPED, SWAPPED, SWAPPED], [SWAPPED, WORN, SWAPPED, WORN]
    for part, num_contents in ((both, 2), (one, 2)):
        found = judged([0, 1, 0, 1], part=part, hits=0.4, found_hits=1.0)
        assert found.accuracy_at_random == pytest.approx(0.4 + 0.6 / num_contents)
    found = judged([0, 1, 2], part=[SWAPPED, SWAPPED, WORN], hits=0.4, found_hits=1.0)
    assert found.accuracy_at_random == pytest.approx(0.4 + 0.6 / 3)
    assert judged([0, 1, 2], part=[SWAPPED] * 3, hits=0.4, found_hits=1.0).accuracy_at_random == pytest.approx(0.6)


@pytest.mark.parametrize(("behind", "fails"), [(2 * KEPT - TINY, False), (2 * KEPT + TINY, True)])
def test_a_model_that_is_worse_than_one_trained_on_without_feedback_failed(behind, fails):
    tuned = judged(hits=0.8 + behind, change=0.5)
    found = said(relying(0.5, hits=0.5), relying(0.0, hits=0.8), fine_tuned=tuned)
    assert (found.outcome == "failed") == fails
    assert ("training on without feedback does better" in found.sentence) == fails
    assert f"trained on without feedback on {80 + 100 * behind:.1f} %" in found.sentence
    assert found.accuracy_fine_tuned == pytest.approx(0.8 + behind)


def test_a_model_that_hardly_relied_on_it_can_still_be_ruined():
    found = said(relying(0.0, hits=0.9), relying(0.0, hits=0.5))
    assert found.outcome == "failed"


def test_the_figures_are_those_of_the_judged_rows():
    before = judged([0, 1, 1, 1], hits=[1.0, 0.0, 0.0, 1.0], change=0.4, found_hits=1.0)
    after = judged([0, 1, 1, 1], hits=[1.0, 1.0, 0.5, 1.0], change=0.04, found_hits=[1.0, 1.0, 1.0, 0.0])
    found = said(before, after, class_names=("a", "b"))
    assert (found.accuracy_before, found.accuracy_after) == pytest.approx((4 / 6, 11 / 12))
    assert (found.as_found_before, found.as_found_after) == pytest.approx((1, 5 / 6))
    assert (found.worst_class, found.worst_class_accuracy) == ("b", pytest.approx(5 / 6))
    assert (found.num_rows, found.where, found.accuracy_fine_tuned) == (4, "training", None)
    assert found.sentence == (
        "Corrected: exchanging what was marked moved the predicted chances by 40.0 points before, 4.0 now; with it "
        "exchanged the model is right on 91.7 % of rows, before on 66.7 %; on the rows as they are on 83.3 %, before "
        "on 100.0 % (4 rows, training)."
    )


@pytest.mark.parametrize("after", [relying(0.0), relying(0.2), relying(0.5), relying(0.0, hits=0.1)])
def test_the_sentence_begins_with_the_outcome_and_is_one(after):
    found = said(relying(0.5), after)
    assert found.sentence.lower().startswith(found.outcome)
    assert re.fullmatch(r"[A-Z][^\n]*\.", found.sentence)
    assert bool(found.reasons) == (found.outcome == "failed")
    assert all(reason in found.sentence for reason in found.reasons)


@pytest.mark.parametrize(
    ("hits", "told"), [(0.0, "worse than guessing"), (0.5, "no better than guessing"), (0.51, "no better"), (0.6, "")]
)
def test_what_is_below_chance_is_not_called_as_good_as_it(hits, told):
    sentence = said(relying(0.4, hits=0.0), relying(0.0, hits=hits)).sentence
    assert told in sentence and ("guessing" in sentence) == bool(told)


@pytest.mark.parametrize(
    ("spread", "guessed", "told"),
    [(0.0, 0.0, "worse than guessing"), (3.0, 0.0, ""), (0.0, -0.05, "no better"), (0.0, -0.2, "")],
)
def test_amounts_are_compared_with_the_best_guess_on_the_same_rows(spread, guessed, told):
    """A quality below 0 on few rows says little where they are far apart, or where the guess does worse."""
    task, y = task_named("amounts", torch.arange(40.0)), (0,) * 40
    apart = (spread * torch.tensor([-1.0, 1.0] * 20)).tolist()
    found = judged(y, hits=[-0.05 + by for by in apart], guessed=guessed)
    assert told in (said_of := beside_chance(found, task)) and bool(said_of) == bool(told)


def test_what_closing_a_gap_costs_is_no_failure():
    before, after = relying(0.4, hits=0.9), relying(0.01, hits=0.9 - 2 * KEPT)
    failed, closes = said(before, after), said(before, after, closes_gap=True)
    assert (failed.outcome, failed.cost) == ("failed", "")
    assert (closes.outcome, closes.reasons, closes.cost) == ("corrected", "", failed.reasons)
    assert closes.sentence.endswith(f" A gap between groups was to be closed as well, and {failed.reasons}.")
    assert f"A gap between groups was to be closed as well, and {failed.reasons}." in closes.lines
    assert said(before, relying(0.4), closes_gap=True).outcome == "failed"


def test_without_a_cost_nothing_is_said_of_a_gap():
    before, after = relying(0.4), relying(0.01)
    assert said(before, after, closes_gap=True) == said(before, after)
