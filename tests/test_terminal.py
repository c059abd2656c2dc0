"""What is shown while a verb runs, and with which code it ends."""

import io
import json
import logging
import re
import sys
import time
from dataclasses import replace

import pytest
from rich.console import Console

from corrigible.lines import beats, pace
from corrigible.lines.bars import Bars
from corrigible.lines.printing import Step
from corrigible.progress import begun
from corrigible.protocols.corrections.defaults import MethodChosen
from corrigible.protocols.corrections.weight import WeightTrial
from corrigible.regions.shifts import Shift
from corrigible.terminal import is_failure, show
from corrigible.workflow.looking_records import Suspected
from corrigible.workflow.records import FeatureShare, Finished, Measured, MethodCompared, Sealed, Verified
from verdicts import CORRECTED, FAILED


def terminal_console() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=80)


def test_a_bar_grows_when_more_is_tried_than_was_announced():
    with Bars(terminal_console()) as bars:
        for number in range(1, 7):
            bars.advance(Step("weight", number, max(5, number), "", True))
        (task,) = bars.progress.tasks
        assert (task.completed, task.total) == (6, 6)
    assert bars.console.file.getvalue().count("weight") >= 6


def printed(*records, capsys, is_terminal=False, monkeypatch=None):
    if is_terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
    show(lambda: iter(records), as_json=False)
    return capsys.readouterr().out


def test_a_trial_tells_its_accuracies_beside_its_swap_score_and_whether_it_is_refused(capsys):
    trial = WeightTrial(
        penalty="right_reasons",
        weight=30.0,
        swap_score=-0.7341,
        accuracy=0.5774,
        as_found=0.9,
        is_refused=False,
        number=2,
        num_trials=9,
    )
    told = printed(trial, replace(trial, number=3, is_refused=True), capsys=capsys)
    line = "30: swap score −0.734, accuracy 0.577 exchanged, 0.900 as found"
    spent = "(elapsed 0:00)"
    assert " ".join(told.split()) == f"weight 2/9 {line} {spent} weight 3/9 {line} refused {spent}"


def test_a_method_that_was_chosen_is_one_line(capsys):
    assert printed(MethodChosen({}, {}, "method: [transplant]"), capsys=capsys) == "  method: [transplant]\n"


@pytest.mark.parametrize(
    ("outcome", "colour"),
    [("corrected", "32"), ("partly corrected", "33"), ("no reliance found", "33"), ("failed", "31")],
)
def test_the_outcome_stands_first_in_its_colour(outcome, colour, capsys, monkeypatch):
    said = replace(CORRECTED, outcome=outcome, reasons="it got worse")
    told = printed(said, capsys=capsys, is_terminal=True, monkeypatch=monkeypatch)
    assert told.startswith(f"\x1b[1;{colour}m  {outcome.capitalize()}\x1b[0m: ")


def test_a_verdict_says_on_how_many_rows_and_of_what_each_percentage_is(capsys):
    told = printed(CORRECTED, capsys=capsys)
    lines = told.splitlines()
    assert all(len(line) <= 80 and line.startswith("  ") for line in lines) and len(lines) <= 8
    assert "On 500 test rows drawn to compare, with what was marked exchanged:" in told
    assert "On these rows as they are, 80.0 % are predicted right; before, 95.0 %." in told
    assert not any(line.strip().startswith("%") for line in lines)


def test_what_failed_is_told_with_its_reasons(capsys):
    assert FAILED.reasons in " ".join(printed(FAILED, capsys=capsys).split())


def test_what_counts_as_a_problem_is_the_commands_to_say(capsys):
    show(lambda: iter([FAILED]), as_json=False)
    with pytest.raises(SystemExit, match="1"):
        show(lambda: iter([FAILED, CORRECTED]), as_json=True, is_problem=is_failure)
    with pytest.raises(SystemExit, match="1"):
        show(lambda: iter([Verified("here", "", ("changed",))]), as_json=True)
    capsys.readouterr()


def test_what_comes_next_is_said_last_and_once(capsys):
    first, second = (
        Finished("train", "runs/1", result="it went well", next=(f"corrigible {verb} x",)) for verb in ("a", "b")
    )
    show(lambda: iter([first, second]), False)
    lines = capsys.readouterr().out.splitlines()
    assert lines.count("  it went well") == 2
    assert lines[-1] == "next: corrigible b x" and not any("corrigible a" in line for line in lines)
    show(lambda: iter([first]), True)
    assert json.loads(capsys.readouterr().out)["next"] == ["corrigible a x"]


def test_models_are_columns_and_metrics_are_rows(capsys):
    def measured(model: str, metric: str, value: float | None, **facts: object) -> Measured:
        return Measured(model, metric, "", value, 0.1, 0.9, 50, "", **facts)

    names = ("trained", "corrected", "fine-tuned without feedback", "clean reference")
    accuracies = [measured(name, "accuracy", 0.5, is_better=True if name == "corrected" else None) for name in names]
    absent = [Measured(name, "f1", "", None, None, None, 0, "needs two classes") for name in names]
    told = printed(*accuracies, *absent, replace(accuracies[0], part="class 3"), capsys=capsys)
    lines = told.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["trained", "corrected", "fine-tuned", "without"]
    assert [line.split()[:3] for line in lines if line.startswith("  Accuracy")] == [
        ["Accuracy", "0.500", "0.500"],
        ["Accuracy", "0.500"],
    ]
    assert told.count("▲") == 2 and told.count("0.100 to 0.900") == 4
    assert told.count("– F1: needs two classes") == 1 and "class 3" not in told


def test_compared_methods_and_sealed_folders_name_the_outcome(capsys):
    told = printed(
        MethodCompared("transplant", outcome="corrected", swap_score=-0.5, flip_rate=0.1, step_cost=1.2),
        MethodCompared("right_reasons", outcome="failed", swap_score=-1.0, flip_rate=0.0, step_cost=2.0),
        MethodCompared("energy_outside", note="no layer"),
        Sealed("folder", "ab12", 7, "failed"),
        Sealed("other", "ab12", 7),
        capsys=capsys,
    ).splitlines()
    assert told[0].split() == ["transplant", "right", "reasons"]
    assert told[1].split() == ["Outcome", "corrected", "failed"]
    assert told[2].split() == ["Swap", "score", "−0.500", "▲", "−1.000"]
    assert told[3].split() == ["Flip", "rate", "0.100", "0.000", "▲"]
    assert "  energy outside: no layer" in told
    assert [line.strip() for line in told].count("verdict failed") == 1


def test_one_method_of_all_is_the_best_also_where_the_table_has_several_parts(capsys):
    scores = [0.5, 0.9, 0.7, 0.8, 0.6]
    found = [
        MethodCompared(f"m{place}", accuracy=score, measured={"interval_coverage": score})
        for place, score in enumerate(scores)
    ]
    found[0] = replace(found[0], accuracy=None)  # What the first lacks is told of the others.
    lines = printed(*found, capsys=capsys).splitlines()
    told = [line for line in lines if line.startswith("  Accuracy")]
    assert " ".join(told).count("▲") == 1 and "0.900 ▲" in told[0] and "0.800" in told[1]
    assert not any("▲" in line for line in lines if "coverage" in line)  # Neither end of it is better.
    assert not any("Time of a step" in line for line in lines)


def test_every_number_is_written_alike(capsys):
    measured = Measured("trained", "mean_absolute_error", "", -36645.2, -1234.5, -0.1, 300, "", unit="€")
    suspected = Suspected(
        1, "race", "1", 0.1, -0.5, -0.6, -0.4, 2.0, 0.01, 0.5, 1, (3,), moved_as="predictions by {} %"
    )
    compared = MethodCompared("transplant", swap_score=-0.5, measured={"mean_absolute_error": -2.0}, unit="€")
    records = (
        Shift("size", -0.5, -0.77, "share of the variance explained"),
        WeightTrial("right_reasons", -1.0, -0.7, -0.5, -0.4, False, 2, 9),
        measured,
        suspected,
        compared,
    )
    for record in records:
        told = printed(record, capsys=capsys)
        assert told.count("−") >= 2 - (record is compared), told
        assert not re.search(r"(?<![\w])-\d|\d%", told), told
    assert "error (€)" in printed(measured, capsys=capsys)
    assert "(€)" in printed(compared, capsys=capsys)


def test_shares_of_features_stand_beside_the_words_for_them(capsys):
    told = printed(FeatureShare("fchild", 0.25, "child of the family"), FeatureShare("age", 0.5), capsys=capsys)
    assert [line.split()[:2] for line in told.splitlines()] == [["child", "of"], ["age", "0.500"]]


def test_a_stage_begins_where_what_came_before_it_ended(monkeypatch):
    now = 0.0
    monkeypatch.setattr(pace.time, "monotonic", lambda: now)
    clock = pace.StageClock()
    now = 1.0
    clock.tell()
    for number, expected in ((1, 2.0), (2, 4.0)):
        now += 2.0
        assert clock.advance("epoch", number, is_noted=False) == expected
    now += 3.0
    clock.tell()
    now += 5.0
    assert clock.advance("weight", 1, is_noted=True) == 5.0


def test_what_somebody_else_wrote_cannot_steer_the_terminal(capsys):
    told = printed(Sealed("a\x1b[2J\u202e", "f00", 3, ""), capsys=capsys)
    assert r"a\x1b[2J\u202e" in told
    assert "\x1b" not in told


def test_warnings_of_the_library_are_lines_beside_the_records(capsys):
    def verb():
        logging.getLogger("corrigible.somewhere").warning("look\nhere \x1b[2J")
        yield Sealed("a", "f00", 3, "")

    show(verb, as_json=False)
    assert capsys.readouterr().err == "warning: look here \\x1b[2J\n"
    assert not logging.getLogger("corrigible").handlers


@pytest.mark.parametrize("kind", [MemoryError, RuntimeError])
def test_running_out_of_memory_is_one_line(kind, capsys):
    def verb():
        raise kind("cannot allocate memory:\n10 GiB")
        yield

    with pytest.raises(SystemExit) as ended:
        show(verb, as_json=False)
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("error: not enough memory (cannot allocate memory: 10 GiB)")


def test_steps_inside_a_stage_have_a_bar_of_their_own_that_goes_when_they_are_done():
    def shown() -> list[str]:
        return [task.description for task in bars.progress.tasks]

    with Bars(terminal_console()) as bars:
        assert shown() == ["starting"]
        bars.step("batch", 1, None)
        assert shown() == ["batch"]
        bars.advance(Step("epoch", 1, 3, "", False))
        bars.step("batch", 1, 2)
        assert shown() == ["epoch", "batch"]
        bars.step("batch", 2, 2)
        assert shown() == ["epoch"]
        bars.say("a line")
        bars.step("judged", 0, None)
        assert shown() == ["judged"]


def test_bars_label_the_time_spent_and_the_time_left_and_fit_80_columns():
    with Bars(terminal_console()) as bars:
        bars.plan(2, 48)
        for number in (1, 2, 3):
            bars.advance(Step("epoch", number, 24, "loss 0.00123  validation accuracy 0.975", False))
        bars.step("epoch 4/24: batch", 3, 22)
        drawn = Console(file=io.StringIO(), width=80)
        drawn.print(bars.progress)
    lines = drawn.file.getvalue().splitlines()
    assert len(lines) == 3 and max(map(len, lines)) <= 80
    assert "all 2 runs: epoch" in lines[0] and "3/48" in lines[0] and "elapsed 0:00, left 0:" in lines[0]
    assert all("elapsed 0:00" in line for line in lines)


def test_where_there_is_no_terminal_lines_come_more_rarely_as_time_goes_on(monkeypatch):
    assert beats.LEAST_SECONDS <= 3 and beats.SHARE == 0.25 and beats.MOST_SECONDS == 60
    monkeypatch.setattr(beats, "LEAST_SECONDS", 0.05)
    console = Console(file=io.StringIO(), width=80)
    with beats.Beats(console) as work:
        work.plan(1, 5)
        work.step("loading the train rows", 0, None)
        time.sleep(0.7)
        for number in (1, 2, 3):
            work.advance(Step("epoch", number, 5, "loss 1", False))
        work.step("epoch 4/5: batch", 2, 9)
        time.sleep(0.7)
        work.advance(Step("epoch", 5, 5, "loss 0.5", False))
    lines = console.file.getvalue().splitlines()
    assert "  loading the train rows, elapsed 0:00" in lines
    assert any(line.startswith("  epoch 4/5: batch 2/9, elapsed 0:01, left 0:0") for line in lines)
    assert lines[-1] == "  epoch 5/5  loss 0.5  (elapsed 0:01)"


def test_the_time_left_is_that_of_the_epochs_that_are_missing(monkeypatch):
    now = 0.0
    monkeypatch.setattr(pace.time, "monotonic", lambda: now)
    found = pace.Pace()
    found.plan(6)
    assert found.left is None
    for epoch in (1, 2, 3):
        now += 9.0 if epoch == 1 else 2.0  # The first one includes the start.
        assert found.left is None  # Too little was measured.
        found.advance(epoch)
    assert found.left == pytest.approx(3 * 2)
    now += 1.0
    assert found.left == pytest.approx(5)
    found.advance(1)
    assert found.left == pytest.approx(4)
    assert pace.clock(61.0) == "1:01" and pace.clock(3662.0) == "1:01:02"


def test_a_warning_takes_the_line_about_progress_away_first(capsys, monkeypatch):
    def verb():
        begun("first batches")
        logging.getLogger("corrigible.data").warning("look at this")
        yield Finished("train", "runs/0001")

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    show(verb, as_json=True)
    told = capsys.readouterr().err
    line = next(line for line in told.split("\n") if "look at this" in line)
    assert line.split("\r")[-1] == "warning: look at this" and "first batches" in told
