"""A difference between groups that a correction opened is told, in red, and one that rose by chance is not."""

from datetime import datetime

import pytest

from corrigible.reported_gaps import opened_gaps, told_of_gaps
from corrigible.reporting import ReportContent, ReportedModel, render
from corrigible.types import Measurement

BEFORE = [
    Measurement("accuracy", 0.85, 0.84, 0.86, 900),
    Measurement("demographic_parity_difference", 0.186, 0.17, 0.2, 900),
    Measurement("equalized_odds_difference", 0.083, 0.06, 0.1, 900),
    Measurement("group_accuracy_gap", 0.1, 0.05, 0.15, 900),
]
AFTER = [
    Measurement("accuracy", 0.84, 0.83, 0.85, 900),
    Measurement("demographic_parity_difference", 0.03, 0.01, 0.05, 900),
    Measurement("equalized_odds_difference", 0.257, 0.2, 0.3, 900),
    Measurement("group_accuracy_gap", 0.12, 0.06, 0.16, 900),
]
CHANGES = [
    Measurement("accuracy", -0.01, -0.02, -0.001, 900),
    Measurement("demographic_parity_difference", -0.156, -0.18, -0.13, 900),
    Measurement("equalized_odds_difference", 0.174, 0.1, 0.25, 900),
    Measurement("group_accuracy_gap", 0.02, -0.01, 0.05, 900),
]


def page(changes: list[Measurement]) -> str:
    models = (ReportedModel("trained", tuple(BEFORE)), ReportedModel("corrected", tuple(AFTER)))
    return render(ReportContent("t", "table", datetime(2026, 1, 1), models=models, changes=tuple(changes)))


def test_what_closing_one_difference_opened_is_one_sentence() -> None:
    (told,) = told_of_gaps(BEFORE, AFTER, CHANGES)
    assert told == (
        "Closing the demographic parity difference (from 0.186 to 0.030) opened the equalized odds difference from "
        "0.083 to 0.257, a rise of 0.100 to 0.250 (95\u00a0% interval)."
    )


def test_the_report_sets_it_in_red_and_nothing_else() -> None:
    html = page(CHANGES)
    assert html.count("▲ larger than before") == 1
    assert "opened the equalized odds difference" in html
    assert "larger than before" not in page(CHANGES[:2]) and "opened the" not in page([])


@pytest.mark.parametrize(("rise", "is_told"), [(0.02, True), (0.005, False)])
def test_without_intervals_a_small_rise_is_not_told(rise: float, is_told: bool) -> None:
    change = Measurement("group_prob_gap", rise)
    assert bool(opened_gaps([Measurement("group_prob_gap", 0.1)], [change])) == is_told
