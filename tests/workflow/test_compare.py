"""Comparing methods in a study, as the command line does it."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from corrigible import workflow
from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.penalties import PENALTIES
from corrigible.study import open_study
from corrigible.workflow import comparing
from corrigible.workflow.records import MethodCompared, Started
from studies import corrigible, image_study, refused
from verdicts import CORRECTED, FAILED


def unfit(forward, batch):
    raise UnsupportedModelError("<b>no layer</b> to look at")


@pytest.fixture
def few(monkeypatch):
    """The two methods that the tests compare."""
    monkeypatch.setitem(PENALTIES, "unfit", unfit)
    few = {name: {name: "auto"} for name in ("right_reasons", "unfit")}
    monkeypatch.setattr(comparing, "methods_for", lambda marks, data: few)


def test_each_method_is_a_run_and_the_last_run_is_the_table(finished, few):
    records = list(workflow.compare(finished, methods=("all",)))
    found = [record for record in records if isinstance(record, MethodCompared)]
    assert {record.method for record in found} == {"without feedback", "right_reasons", "unfit"}
    assert found[0].swap_score >= found[1].swap_score
    assert found[2].note == "penalty 'unfit': <b>no layer</b> to look at"
    assert all(0 <= record.swapped_accuracy <= 1 and record.step_cost > 0 for record in found[:2])
    runs = [run for run in open_study(finished).runs() if run.verb in ("compare", "comparison")]
    assert [run.verb for run in runs] == ["compare", "compare", "comparison"]
    table = runs[-1].read("comparison.json")
    assert [row["method"] for row in table] == [record.method for record in found]
    text = (finished / "comparison.html").read_text()
    assert "&lt;b&gt;no layer&lt;/b&gt;" in text
    assert "<b>no layer" not in text
    assert "data:image/svg+xml" in text


def test_methods_that_failed_are_marked_and_stand_below_all_that_did_not(finished, monkeypatch):
    reached = {"right_reasons": (-2.0, CORRECTED), "gradient_size": (-0.5, FAILED), None: (-3.0, None)}

    def candidate(model, data, feedback, *, method, **settings):
        score, verdict = reached[next(iter(method), None)]
        if verdict is not None:
            yield replace(verdict, where="validation")
        return SimpleNamespace(model=model, weights={}, swap_score=score)

    methods = {name: {name: 1.0} for name in ("right_reasons", "gradient_size")}
    monkeypatch.setattr(comparing, "candidate", candidate)
    monkeypatch.setattr(comparing, "methods_for", lambda marks, data: methods)
    answer = corrigible("compare", finished, "--only", "all", "--json")
    assert answer.code == 0
    found = [record for record in answer.records if record["record"] == "MethodCompared"]
    assert [(record["method"], record["outcome"]) for record in found] == [
        ("right_reasons", "corrected"),
        ("without feedback", ""),
        ("gradient_size", "failed"),
    ]
    text = (finished / "comparison.html").read_text()
    assert text.index(">corrected<") < text.index(">without feedback<") < text.index('font-weight: 650">failed<')
    assert "failed" in corrigible("compare", finished, "--only", "all").stdout


@pytest.mark.slow
def test_goes_on_where_it_was_interrupted(finished, few):
    started = []
    running = workflow.compare(finished, methods=("all",))
    for record in running:
        started += [record.label] if isinstance(record, Started) else []
        if len(started) == 2:
            running.close()
            break
    assert started == ["without feedback", "right_reasons"]
    again = [record.label for record in workflow.compare(finished, methods=("all",)) if isinstance(record, Started)]
    assert again == ["right_reasons", "unfit"]
    with open_study(finished).feedback() as store:
        said = store.active()[0][1]
        store.add_all([said])
    anew = [record.label for record in workflow.compare(finished, methods=("all",)) if isinstance(record, Started)]
    assert anew == ["without feedback", "right_reasons", "unfit"]


def test_named_methods_alone_are_compared(finished):
    found = [r.method for r in workflow.compare(finished, methods=("right_reasons",)) if isinstance(r, MethodCompared)]
    assert sorted(found) == ["right_reasons", "without feedback"]
    with pytest.raises(RecipeError, match="unknown method that feedback serves 'right_reason'"):
        list(workflow.compare(finished, methods=("right_reason",)))


def test_the_command_prints_a_column_for_each_method(finished):
    text = corrigible("compare", finished, "--only", "right_reasons").stdout
    assert "ahead: 2 runs, 4 epochs: without feedback 2, right_reasons 2" in text
    headers = [sorted(line.split()) for line in text.splitlines() if line.startswith(" " * 20)]
    assert headers == [["feedback", "reasons", "right", "without"]]
    assert text.count("Swapped accuracy") == 1
    records = corrigible("compare", finished, "--method", "right_reasons", "--json").records
    assert [record["record"] for record in records].count("MethodCompared") == 2


def test_a_method_that_the_feedback_does_not_serve_is_refused_before_anything_is_trained(tmp_path):
    study = image_study(tmp_path)
    corrigible("train", study)
    corrigible("feedback", "add", study, "--box", 0, 0, 2, 2, "--polarity", "relevant")
    message = refused("compare", study, "--method", "right_reasons")
    assert message.startswith("right_reasons has no use for this feedback; it serves energy_outside, should_matter")
    assert [run.verb for run in open_study(study).runs()] == ["train"]


def test_by_default_the_usual_method_is_compared_and_what_else_there_is_is_named(tmp_path):
    study = image_study(tmp_path)
    corrigible("train", study)
    corrigible("feedback", "add", study, "--box", 0, 0, 2, 2)
    records = list(workflow.compare(study))
    assert records[0].runs == ("without feedback", "transplant")
    assert "--only NAME for others" in records[0].note and "--only all" in records[0].note
    assert {record.method for record in records if isinstance(record, MethodCompared)} == set(records[0].runs)
    assert records[-1].result.startswith("the best of 2 by swap score: ")
