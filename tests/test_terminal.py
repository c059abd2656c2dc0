"""What is shown while a verb runs, and with which code it ends."""

import io
import logging
from dataclasses import replace

import pytest
from rich.console import Console

from corrigible.protocols.corrections.defaults import MethodChosen
from corrigible.protocols.corrections.weight import WeightTrial
from corrigible.terminal import _Bar, is_failure, show
from corrigible.workflow.records import MethodCompared, Sealed, Verified
from verdicts import CORRECTED, FAILED


def test_a_bar_grows_when_more_is_tried_than_was_announced():
    with _Bar(Console(file=io.StringIO(), force_terminal=True)) as bar:
        for number in range(1, 7):
            bar.advance("weight", number, max(5, number), "", True)
        (task,) = bar.progress.tasks
        assert (task.completed, task.total) == (6, 6)


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
    line = "30: swap score -0.734, accuracy 0.577 exchanged, 0.900 as found"
    assert told == f"  weight 2/9  {line}\n  weight 3/9  {line}  refused\n"


def test_a_method_that_was_chosen_is_one_line(capsys):
    assert printed(MethodChosen({}, {}, "method: [transplant]"), capsys=capsys) == "  method: [transplant]\n"


@pytest.mark.parametrize(
    ("outcome", "colour"),
    [("corrected", "32"), ("partly corrected", "33"), ("no reliance found", "33"), ("failed", "31")],
)
def test_the_outcome_stands_first_in_its_colour(outcome, colour, capsys, monkeypatch):
    said = replace(CORRECTED, outcome=outcome, sentence=f"{outcome.capitalize()}: a sentence.")
    told = printed(said, capsys=capsys, is_terminal=True, monkeypatch=monkeypatch)
    assert told.startswith(f"\x1b[1;{colour}m  {outcome.capitalize()}\x1b[0m: a sentence.")


def test_a_verdict_is_wrapped_and_says_what_it_was_judged_on(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    told = printed(replace(CORRECTED, sentence=f"Corrected: {'many [red]words[/red] ' * 20}on 59.6 %."), capsys=capsys)
    lines = told.splitlines()
    assert all(len(line) <= 60 and line.startswith("  ") for line in lines)
    assert " ".join(told.split()).count("many [red]words[/red]") == 20
    assert "judged on 500 test rows; on these rows as they are it is right on 80.0 %, before on 95.0 %" in " ".join(
        told.split()
    )
    assert not any(line.strip().startswith("%") for line in lines)


def test_what_counts_as_a_problem_is_the_commands_to_say(capsys):
    show(lambda: iter([FAILED]), as_json=False)
    with pytest.raises(SystemExit, match="1"):
        show(lambda: iter([FAILED, CORRECTED]), as_json=True, is_problem=is_failure)
    with pytest.raises(SystemExit, match="1"):
        show(lambda: iter([Verified("here", "", ("changed",))]), as_json=True)
    capsys.readouterr()


def test_advice_is_the_last_line_where_there_was_a_problem_and_no_json(capsys):
    settings = {"is_problem": is_failure, "advice": "Mark more rows."}
    for as_json in (False, True):
        with pytest.raises(SystemExit, match="1"):
            show(lambda: iter([FAILED, CORRECTED]), as_json, **settings)
        assert (capsys.readouterr().out.splitlines()[-1] == "  Mark more rows.") == (not as_json)
    show(lambda: iter([CORRECTED]), False, **settings)
    assert "Mark more rows." not in capsys.readouterr().out


def test_compared_methods_and_sealed_folders_name_the_outcome(capsys):
    told = printed(
        MethodCompared("right_reasons", outcome="failed", swap_score=-1.0, step_cost=2.0),
        MethodCompared("energy_outside", note="no layer"),
        Sealed("folder", "ab12", 7, "failed"),
        Sealed("other", "ab12", 7),
        capsys=capsys,
    ).splitlines()
    assert told[0].split()[:3] == ["right", "reasons", "failed"]
    assert told[1].split() == ["energy", "outside", "no", "layer"]
    assert [line.strip() for line in told].count("verdict failed") == 1


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
    with _Bar(Console(file=io.StringIO(), force_terminal=True)) as bar:
        bar.step("batch", 1, None)
        assert [task.description for task in bar.progress.tasks] == ["batch"]
        bar.advance("epoch", 1, 3, "", False)
        bar.step("batch", 1, 2)
        assert [task.description for task in bar.progress.tasks] == ["epoch", "batch"]
        bar.step("batch", 2, 2)
        assert [task.description for task in bar.progress.tasks] == ["epoch"]
        bar.step("judged", 1, None)
    assert bar.progress is None
