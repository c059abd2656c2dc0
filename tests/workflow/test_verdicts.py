"""What becomes of a verdict: kept by the run, told first, an exit code, a seal that is refused."""

import hashlib
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

import pytest

from corrigible import workflow
from corrigible.errors import CorrectionRefusedError, SealError
from corrigible.protocols.corrections.verdict import CLEARLY, COLLAPSED, FELL, KEPT, LITTLE, Outcome, Verdict
from corrigible.recipe import load_data
from corrigible.study import open_study, record_as_bytes
from corrigible.workflow import measuring, model_runs
from corrigible.workflow.measuring import feedback_about, models_to_compare
from corrigible.workflow.verdicts import verdict_on_split, verdicts_on
from studies import TABLE_RECIPE, corrigible, edit, image_study, refused, table_study
from verdicts import CORRECTED, FAILED, correction_with


@pytest.fixture(scope="module")
def _reviewed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = image_study(tmp_path_factory.mktemp("studies") / "reviewed")
    list(workflow.train(study))
    list(workflow.add_feedback(study, box=(0, 0, 2, 2)))
    return study


@pytest.fixture
def reviewed(_reviewed_once: Path, tmp_path: Path) -> Path:
    """A tiny image study that is trained and has feedback."""
    return Path(shutil.copytree(_reviewed_once, tmp_path / "reviewed"))


def judge_as(monkeypatch: pytest.MonkeyPatch, run: Verdict | None, evaluation: Verdict | None) -> None:
    """From now on corrections and evaluations are judged like this."""
    if run is not None:
        monkeypatch.setattr(model_runs, "correction", correction_with(run))
    monkeypatch.setattr(measuring, "verdict_on_split", lambda *rows, **settings: evaluation)


def corrected_and_evaluated(study: Path) -> Path:
    list(workflow.correct(study))
    list(workflow.evaluate(study))
    return study


def test_a_correction_that_fails_ends_with_1_and_is_kept_with_its_baselines(reviewed, monkeypatch):
    judge_as(monkeypatch, FAILED, None)
    answer = corrigible("correct", reviewed)
    assert (answer.code, answer.stderr) == (1, "")
    assert "next: look again at what was marked" in answer.stdout
    assert [run.verb for run in open_study(reviewed).runs()] == ["train", "correct", "baseline", "baseline"]
    run = open_study(reviewed).latest("correct")
    assert run.record["verdict"] == asdict(FAILED)
    logged = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    assert {"record": "Verdict", **asdict(FAILED)} in logged
    assert run.problems() == []


@pytest.mark.parametrize("outcome", ["corrected", "partly corrected", "no reliance found"])
def test_any_other_outcome_ends_with_0(outcome, reviewed, monkeypatch):
    judge_as(monkeypatch, replace(CORRECTED, outcome=outcome), None)
    assert corrigible("correct", reviewed).code == 0


def test_the_verdict_comes_before_doubts_and_is_one_json_line(reviewed, monkeypatch):
    judge_as(monkeypatch, FAILED, None)
    answer = corrigible("correct", reviewed, "--json")
    assert answer.code == 1
    assert [record["record"] for record in answer.records][1:5] == ["Started", "Verdict", "FeedbackDoubted", "Finished"]
    assert answer.records[2] == {"record": "Verdict", "model": "corrected", **asdict(FAILED)}


def test_a_correction_that_is_refused_is_one_line_and_no_run(reviewed, monkeypatch):
    def refusing(*rows, **settings):
        raise CorrectionRefusedError("every weight would make the model worse")
        yield

    monkeypatch.setattr(model_runs, "correction", refusing)
    assert refused("correct", reviewed) == "every weight would make the model worse"
    assert [run.verb for run in open_study(reviewed).runs()] == ["train"]


def test_an_evaluation_tells_the_verdict_first_keeps_it_and_ends_with_0(reviewed, monkeypatch):
    judge_as(monkeypatch, CORRECTED, FAILED)
    list(workflow.correct(reviewed))
    answer = corrigible("evaluate", reviewed, "--json")
    assert answer.code == 0
    assert answer.records[0] == {"record": "Verdict", **asdict(FAILED)}
    assert open_study(reviewed).latest("evaluate").read("evaluation.json")["verdict"] == asdict(FAILED)


def test_on_the_evaluations_rows_the_correction_stands_beside_fine_tuning(finished):
    found = open_study(finished).latest("evaluate").read("evaluation.json")["verdict"]
    assert found["where"] == "test"
    assert found["accuracy_fine_tuned"] is not None
    assert found["num_rows"] > 0
    edit(finished, '[[baseline]]\nname = "fine_tuned"\n', "")
    list(workflow.correct(finished))
    first = next(iter(workflow.evaluate(finished)))
    assert isinstance(first, Verdict)
    assert first.accuracy_fine_tuned is None


def test_there_is_no_verdict_without_a_correction(reviewed):
    list(workflow.evaluate(reviewed))
    assert open_study(reviewed).latest("evaluate").read("evaluation.json")["verdict"] is None


def verdict_now(folder: Path) -> Verdict | None:
    study = open_study(folder)
    split = study.recipe.evaluate.split
    feedback, _ = feedback_about(study, split)
    data = load_data(study.recipe, study.folder, split)
    train = load_data(study.recipe, study.folder, "train")
    return verdict_on_split(study, models_to_compare(study), data, feedback, train=train, device="cpu", seed=0)


def test_rules_that_the_correction_never_saw_do_not_judge_it(finished):
    before = verdict_now(finished)
    list(workflow.add_feedback(finished, box=(4, 4, 2, 2)))
    assert verdict_now(finished) == before
    list(workflow.add_feedback(finished, box=(4, 4, 2, 2), row=1, split="test"))
    assert verdict_now(finished) != before


def test_feedback_on_training_rows_alone_is_worn_by_the_evaluations_rows(tmp_path):
    study = table_study(tmp_path, TABLE_RECIPE.replace('[[baseline]]\nname = "retrained"\nsplit = "validation"\n', ""))
    list(workflow.train(study))
    for row in range(8):
        list(workflow.add_feedback(study, features=("site",), row=row))
    list(workflow.correct(study))
    found = verdict_now(study)
    assert found is not None
    assert found.where == "training and test"


@pytest.mark.every(3)
@pytest.mark.parametrize(("run", "evaluation"), [(FAILED, CORRECTED), (CORRECTED, FAILED), (FAILED, None)])
def test_a_failed_correction_is_sealed_only_when_told_to(run, evaluation, reviewed, monkeypatch):
    judge_as(monkeypatch, run, evaluation)
    corrected_and_evaluated(reviewed)
    message = refused("seal", reviewed)
    assert "0002-correct" in message
    assert FAILED.sentence in message
    assert "--anyway" in message
    assert not (reviewed / "sealed").exists()
    with pytest.raises(SealError):
        list(workflow.seal(reviewed))
    answer = corrigible("seal", reviewed, "--anyway")
    assert answer.code == 0
    assert "failed" in answer.stdout
    sealed = reviewed / "sealed" / "0002-correct"
    assert json.loads((sealed / "verdict.json").read_text()) == asdict(FAILED)
    assert corrigible("verify", sealed).code == 0


def test_a_sealed_correction_names_its_outcome(reviewed, monkeypatch):
    judge_as(monkeypatch, CORRECTED, replace(CORRECTED, outcome="partly corrected"))
    corrected_and_evaluated(reviewed)
    (sealed,) = workflow.seal(reviewed, anyway=True)
    assert sealed.outcome == "partly corrected"


def test_studies_of_before_there_were_verdicts_are_reported_and_sealed_as_ever(finished):
    forget_verdicts(finished)
    assert corrigible("report", finished).code == 0
    page = (finished / "report.html").read_text()
    assert 'class="verdict' not in page
    assert "Accuracy" in page
    (sealed,) = corrigible("seal", finished, "--json").records
    assert sealed["outcome"] == ""
    assert not (Path(sealed["path"]) / "verdict.json").exists()


def forget_verdicts(folder: Path) -> None:
    """The study as an earlier version wrote it."""
    for run in open_study(folder).runs():
        record = {key: value for key, value in run.record.items() if key != "verdict"}
        path = run.folder / "evaluation.json"
        if path.exists():
            content = json.loads(path.read_text())
            del content["verdict"]
            path.write_text(json.dumps(content))
            record["files"] = {**record["files"], path.name: sha256(path)}
        (run.folder / "run.json").write_bytes(record_as_bytes(record))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_verdict_that_counts_is_a_failed_one_then_the_evaluations(reviewed, monkeypatch):
    judge_as(monkeypatch, FAILED, None)
    list(workflow.correct(reviewed))
    study = open_study(reviewed)
    run, other = study.latest("correct"), asdict(CORRECTED)
    assert verdicts_on(run, {"verdict": other}) == [asdict(FAILED), other]
    assert verdicts_on(run, {}) == [asdict(FAILED)]
    assert verdicts_on(study.latest("train"), {"verdict": other}) == []
    judge_as(monkeypatch, CORRECTED, None)
    list(workflow.correct(reviewed))
    evaluated = {**other, "where": "elsewhere"}
    assert verdicts_on(study.latest("correct"), {"verdict": evaluated}) == [evaluated, other]


def test_the_report_opens_with_the_verdict(reviewed, monkeypatch):
    judge_as(monkeypatch, CORRECTED, FAILED)
    corrected_and_evaluated(reviewed)
    list(workflow.report(reviewed))
    page = (reviewed / "report.html").read_text()
    begin = page[page.index('<section id="summary"') :]
    assert begin.index("Failed") < begin.index("Do not use the corrected model") < begin.index("Judged on")


def test_the_page_on_reports_names_the_thresholds_and_outcomes():
    page = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "read-the-report.md").read_text()
    table = {row.split("|")[1].strip(): row for row in page.splitlines() if row.startswith("| ")}
    assert {*get_args(Outcome)} <= table.keys()
    assert (FELL, COLLAPSED) == (0.25, 0.25)
    assert f"to a quarter or to below {100 * LITTLE / 2:g} points" in table["corrected"]
    assert f"at most {100 * CLEARLY:g} %" in table["partly corrected"]
    assert f"below {100 * LITTLE:g} points" in table["no reliance found"]
    assert f"by more than {100 * KEPT:g} point;" in table["failed"]
    assert f"by more than {100 * 2 * KEPT:g} points" in table["failed"]


def test_classes_are_named_by_the_words_of_the_recipe_where_a_verdict_is_printed(reviewed, monkeypatch):
    edit(reviewed, "[explain]", '[labels]\n"2" = "bright corner"\n[explain]')
    reason = "class 2 is hardly ever predicted any more"
    judge_as(monkeypatch, replace(FAILED, worst_class="2", reasons=reason, sentence=f"Failed ({reason})."), None)
    printed = corrigible("correct", reviewed).stdout
    assert "class bright corner is hardly ever" in printed and "least often right is class bright corner" in printed
    assert open_study(reviewed).latest("correct").record["verdict"]["worst_class"] == "2"
