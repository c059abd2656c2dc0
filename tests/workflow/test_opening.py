"""What the head of a report says about a correction."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch

from corrigible.reporting import ReportedModel
from corrigible.types import Feedback, Measurement, Phrase, region_of
from corrigible.workflow.opening import Change, changes_of, details, disagreement, opening
from corrigible.workflow.task_words import points
from verdicts import CORRECTED, FAILED

RACE = (Feedback(region_of("black"), scope="dataset"),)
AUC = Change("auc", 0.728, 0.716, -0.018, -0.005, 0.73, 0.715)
FLIP = Change("flip_effect", 0.146, 0.0004, -0.148, -0.144, 0.156, 0.0)


def opened(verdict: Any = CORRECTED, changes: Any = (AUC, FLIP), feedback: Any = RACE, names: Any = ("no", "yes")):
    return opening(asdict(verdict), changes, feedback, names).sentences


def test_it_opens_with_what_was_asked_and_sets_the_task_beside_every_model():
    first, second, *_ = opened()
    assert first == (
        "Changing black now moves the predicted chance of “yes” by 0.04 percentage points; before, by 14.6."
    )
    assert second == (
        "AUC is 0.716 (0.5 is guessing, 1 is perfect); it was 0.728 before the correction, 0.715 when retrained "
        "without black and 0.730 after training on for as long without feedback."
    )


@pytest.mark.parametrize(
    ("feedback", "begin"),
    [
        (RACE, "Changing black to another row’s value now moves the predicted chance by"),
        ((*RACE, Feedback(region_of(("age", "sex")), row=1)), "Changing black, age and sex to another row’s value"),
        (
            (Feedback(region_of(tuple("abcde")), scope="dataset"),),
            "Changing the 5 marked features to another row’s value",
        ),
        ((Feedback(region_of(torch.ones(4, 4, dtype=torch.bool)), row=2),), "Exchanging what was marked now moves"),
        ((Feedback(Phrase(("by", "fax")), scope="dataset"),), "Putting “by fax” in or taking it out now moves"),
        (
            (Feedback(Phrase(("by",)), scope="dataset"), Feedback(Phrase(("fax",)), scope="dataset")),
            "Exchanging what was marked",
        ),
        (
            (Feedback(region_of("age"), "relevant", scope="dataset"),),
            "Exchanging all that was not marked as relevant",
        ),
    ],
)
def test_what_was_asked_is_said_in_the_words_of_the_feedback(feedback, begin):
    assert opened(feedback=feedback, changes=(AUC,), names=("0", "1"))[0].startswith(begin)


def test_of_several_classes_it_is_the_chances_that_move():
    assert "moves the predicted chances by 0.04" in opened(changes=(), names=("a", "b", "c"))[0]


def test_where_nothing_was_relied_on_it_says_so_with_the_exchange_that_says_so():
    first = opened(replace(CORRECTED, outcome="no reliance found", reliance_before=0.012))[0]
    assert first == (
        "There was hardly anything to correct: changing black to another row’s value moved the predicted chance of "
        "“yes” by only 1.2 percentage points before the correction; now by 0.04."
    )


@pytest.mark.parametrize(
    ("change", "begin"),
    [
        (Change("accuracy", 0.8, 0.9, 0.05, 0.15, 0.85, None), "Accuracy rose to 0.900"),
        (Change("accuracy", 0.8, 0.9, 0.05, 0.15, None, None), "Accuracy rose to 0.900"),
        (Change("accuracy", 0.8, 0.9, 0.05, 0.15, 0.9, None), "Accuracy is 0.900"),
        (Change("accuracy", 0.8, 0.9, 0.05, 0.15, 0.95, None), "Accuracy is 0.900"),
        (Change("accuracy", 0.8, 0.9, -0.01, 0.15, 0.7, None), "Accuracy did not clearly change: it is 0.900"),
        (Change("accuracy", 0.8, 0.9, None, None, 0.7, None), "Accuracy is 0.900"),
        (Change("accuracy", 0.9, 0.8, -0.15, -0.05, 0.9, None), "Accuracy is 0.800"),
        (Change("accuracy", 0.9, 0.9, 0.0, 0.0, 0.9, None), "Accuracy did not clearly change"),
        (Change("worst_class_accuracy", 0.1, 0.2, 0.05, 0.15, None, None), "Worst class accuracy rose to 0.200"),
        (Change("f1", 0.1, 0.2, 0.05, 0.15, None, None), "F1 rose to 0.200"),
    ],
)
def test_a_rise_is_claimed_where_it_is_clear_and_more_than_fine_tuning_gave(change, begin):
    told = opened(changes=(FLIP, change))[1]
    assert told.startswith(begin)
    assert f"{change.before:.3f} before the correction" in told
    if change.fine_tuned is not None:
        assert f"{change.fine_tuned:.3f} after training on for as long without feedback" in told


@pytest.mark.parametrize("tuned", [0.9, 0.95])
def test_nothing_says_that_accuracy_rose_where_fine_tuning_rose_as_much(tuned):
    change = Change("accuracy", 0.8, 0.9, 0.05, 0.15, tuned, None)
    told = " ".join([*opened(changes=(change,)), *details([asdict(CORRECTED)], [change])])
    assert "rose" not in told
    assert f"{tuned:.3f} after training on" in told


def test_without_a_metric_of_the_task_it_is_told_on_exchanged_rows():
    assert opened(changes=(FLIP,))[1] == (
        "With what was marked exchanged, 70.0\u00a0% of rows are predicted right; it was 60.0\u00a0% before the "
        "correction and 65.0\u00a0% after training on for as long without feedback."
    )


def test_a_fall_on_rows_as_they_are_is_explained_unless_the_correction_failed():
    assert opened()[2].replace("\u00a0", " ") == (
        "On these rows as they are, 80.0 % are now predicted right and 95.0 % were before. That is expected where "
        "black predicted the label on these rows."
    )
    assert not any("as they are" in sentence for sentence in opened(replace(CORRECTED, as_found_after=0.945)))
    assert not any("expected" in sentence for sentence in opened(FAILED))


def test_a_failed_correction_says_why_first_and_what_to_try_last():
    sentences = opened(FAILED)
    assert sentences[0] == "Do not use the corrected model: class dogs is hardly ever predicted any more."
    assert sentences[-1].startswith("What to try:")
    assert "AUC fell to 0.716" in sentences[2]
    other = replace(FAILED, sentence="Failed: nobody knows why.", reasons="")
    assert opened(other)[0] == "Failed: nobody knows why."


TOLD = {
    Change("flip_rate", 0.5, 0.25, -0.4, -0.1, 0.5, 0.0): (
        "Flip rate fell from 0.500 to 0.250 (95 % interval of the change −0.400 to −0.100)."
    ),
    Change("accuracy", 0.5, 0.52, -0.007, 0.04, None, None): (
        "Accuracy did not clearly change: 0.500 before, 0.520 now (95 % interval of the change −0.007 to +0.040)."
    ),
    Change("accuracy", 0.5, 0.75, None, None, None, None): "Accuracy is 0.750 now, 0.500 before.",
    Change("flip_rate", 0.5, 0.25, -0.4, -0.1, 0.2, 0.0): (
        "Flip rate is 0.250 now, 0.500 before (95 % interval of the change −0.400 to −0.100); 0.000 when retrained "
        "without what was marked; 0.200 after training on for as long without feedback."
    ),
    AUC: (
        "AUC fell from 0.728 to 0.716 (95 % interval of the change −0.018 to −0.005); 0.715 when retrained without "
        "what was marked; 0.730 after training on for as long without feedback."
    ),
}


@pytest.mark.parametrize(("change", "expected"), TOLD.items())
def test_each_metric_is_told_with_its_interval_beside_what_did_as_well(change, expected):
    assert [told.replace("\u00a0", " ") for told in details([], [change])] == [expected]


def test_the_details_begin_with_the_rows_and_tell_reliance_before_the_task():
    told = list(details([asdict(CORRECTED), {**asdict(FAILED), "where": "validation"}], [AUC, FLIP]))
    assert told[0].startswith("Judged on 500 test rows")
    assert told[0].endswith("Least often right is class “cats”, on 55.0\u00a0% of its rows.")
    assert told[1] == f"On validation rows: {FAILED.sentence}"
    assert [sentence.split(" ")[0] for sentence in told[2:]] == ["Flip", "AUC"]
    assert len(list(details([asdict(CORRECTED)] * 2, []))) == 1


def test_changes_know_what_the_baselines_reached():
    def model(value: float | None) -> ReportedModel:
        by_class = Measurement("class_accuracy", 0.1, part="class 1")
        return ReportedModel("m", (Measurement("accuracy", value), by_class), np.eye(2, dtype=int))

    models = [model(value) for value in (0.5, 0.75, 0.6, None, 0.7)]
    baselines = ["", "", "fine_tuned", "masked_inputs", "group_dro"]
    measured = [Measurement("accuracy", 0.25, 0.1, 0.4), Measurement("auc", None), Measurement("c", 0.1, part="1")]
    assert changes_of(models, baselines, measured) == [Change("accuracy", 0.5, 0.75, 0.1, 0.4, 0.6, None)]
    assert changes_of(models[:1], [""], []) == []


def test_points_of_a_chance():
    assert [points(share) for share in (0.146, 0.0004, 0.00004, 0.0, 0.0123)] == ["14.6", "0.04", "0", "0", "1.2"]


def test_attributions_that_stay_while_no_prediction_moves_are_explained_in_one_sentence() -> None:
    def told(overlap: float, flip_rate: float) -> list[str]:
        shares = Change("attribution_overlap", 0.2, overlap, None, None, None, None)
        flips = Change("flip_rate", 0.4, flip_rate, None, None, None, None)
        return list(disagreement([shares, flips]))

    (sentence,) = told(0.25, 0.0)
    assert "seem to disagree: 25.0\u00a0% of the attribution" in sentence and "trust the change" in sentence
    assert told(0.05, 0.0) == told(0.25, 0.2) == []
