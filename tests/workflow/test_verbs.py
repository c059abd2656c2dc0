"""What the verbs yield, and that they leave PyTorch's random state alone."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from corrigible import workflow
from corrigible.errors import CorrigibleError, FeedbackError, StudyError
from corrigible.recipe import load_data
from corrigible.study import open_study
from corrigible.workflow.making import load_model
from studies import SIZES, edit, image_study, table_study


def kinds(records: Any) -> list[str]:
    return [type(record).__name__ for record in records]


def test_training_tells_of_each_epoch_and_ends_with_its_run(tmp_path: Path) -> None:
    study = image_study(tmp_path)
    records = list(workflow.train(study))
    assert kinds(records) == ["Ahead", "Started", "Epoch", "Epoch", "Finished"]
    assert (records[0].runs, records[0].epochs, records[1].num_rows) == (("trained",), (2,), SIZES["train"])
    assert [epoch.number for epoch in records[2:4]] == [1, 2]
    assert all(dataclasses.is_dataclass(record) for record in records)
    log = (Path(records[-1].path) / "log.jsonl").read_text().splitlines()
    assert len(log) == 2


def test_a_verb_that_is_not_run_to_its_end_leaves_nothing(tmp_path: Path) -> None:
    study = image_study(tmp_path)
    records = workflow.train(study)
    assert kinds([next(records) for _ in range(3)]) == ["Ahead", "Started", "Epoch"]
    records.close()
    assert open_study(study).runs() == []
    assert list((study / "runs").iterdir()) == []


def test_a_correction_names_its_reviewed_rows_its_weight_and_its_baselines(tmp_path: Path) -> None:
    study = image_study(tmp_path)
    list(workflow.train(study))
    list(workflow.add_feedback(study, box=(0, 0, 2, 2), row=3))
    list(workflow.add_feedback(study, box=(0, 0, 2, 2), row=3, split="test"))
    records = list(workflow.correct(study))
    num_trials = kinds(records).count("WeightTrial")
    assert num_trials >= 5
    assert kinds(records) == [
        "Ahead",
        *("Started", *["WeightTrial"] * num_trials, "WeightChoice", "Epoch", "Epoch", "Verdict", "Finished"),
        *["Started", "Epoch", "Epoch", "Finished"] * 1,
        *("Started", *["Epoch"] * 4, "Finished"),
    ]
    assert (records[0].runs, records[0].epochs) == (("corrected", "fine tuned", "masked inputs"), (2, 2, 4))
    assert records[0].note == "before, up to 9 trials of 1 epochs choose the weight of right_reasons"
    assert records[1].num_reviewed == 1
    (verdict,) = (record for record in records if kinds([record]) == ["Verdict"])
    assert records[-1].result.startswith(f"{verdict.outcome}: exchanging what was marked moves") and records[-1].next
    assert [record.label for record in records if kinds([record]) == ["Started"]] == [
        "corrected",
        "fine tuned",
        "masked inputs",
    ]


def test_the_masked_baseline_does_not_see_what_is_marked(finished: Path) -> None:
    study = open_study(finished)
    (run,) = [run for run in study.runs() if run.record.get("baseline") == "masked_inputs"]
    model = load_model(run).eval()
    x = load_data(study.recipe, study.folder, "test").x
    changed = x.clone()
    changed[:, :, :2, :2] += 5
    assert torch.equal(model(x), model(changed))
    changed[:, :, 2:] += 5
    assert not torch.equal(model(x), model(changed))


def test_a_retrained_baseline_learns_from_the_rows_it_names(tmp_path: Path) -> None:
    study = table_study(tmp_path)
    list(workflow.train(study))
    list(workflow.add_feedback(study, features=("site",)))
    started = [record for record in workflow.correct(study) if type(record).__name__ == "Started"]
    assert [record.num_rows for record in started] == [SIZES["train"], SIZES["validation"]]


def test_attributions_are_written_row_by_row(finished: Path) -> None:
    (record,) = [record for record in workflow.explain(finished) if type(record).__name__ == "Finished"]
    found = load_file(Path(record.path) / "attributions.safetensors")
    assert found["attribution"].shape == (SIZES["test"], 1, 8, 8)
    assert found["target"].shape == found["index"].shape == (SIZES["test"],)


def test_shares_of_a_tables_features_add_up_to_1(tmp_path: Path) -> None:
    study = table_study(tmp_path)
    list(workflow.train(study))
    shares = [record for record in workflow.explain(study) if type(record).__name__ == "FeatureShare"]
    assert {share.feature for share in shares} == {"age", "site", "sex"}
    assert sum(share.share for share in shares) == pytest.approx(1, abs=1e-5)
    assert [share.share for share in shares] == sorted((share.share for share in shares), reverse=True)


def test_measuring_twice_gives_the_same_numbers(finished: Path) -> None:
    first, second = (
        [record for record in workflow.evaluate(finished) if type(record).__name__ == "Measured"] for _ in range(2)
    )
    assert first == second != []


def test_no_verb_touches_the_random_state(tmp_path: Path) -> None:
    study = image_study(tmp_path)
    edit(study, "\n[explain]", "\n[[baseline]]\nname = 'retrained'\n[explain]")
    torch.manual_seed(11)
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    list(workflow.train(study))
    list(workflow.explain(study))
    list(workflow.add_feedback(study, box=(0, 0, 2, 2)))
    list(workflow.correct(study))
    list(workflow.evaluate(study))
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])


def test_exported_feedback_can_be_imported_elsewhere(tmp_path: Path) -> None:
    first, second = image_study(tmp_path / "first"), image_study(tmp_path / "second")
    list(workflow.add_feedback(first, box=(0, 0, 2, 2), row=3, author="Ada", note="a cue"))
    list(workflow.add_feedback(first, box=(1, 1, 2, 2), label=2, polarity="relevant"))
    list(workflow.export_feedback(first, tmp_path / "said.json"))
    list(workflow.import_feedback(second, tmp_path / "said.json"))
    assert list(workflow.list_feedback(second)) == list(workflow.list_feedback(first))


def test_a_report_of_a_run_that_is_gone_is_refused(finished: Path) -> None:
    (finished / "runs" / "0003-baseline").rename(finished / "elsewhere")
    with pytest.raises(StudyError, match="0003-baseline was evaluated and is gone"):
        list(workflow.report(finished))


def test_every_refusal_is_a_corrigible_error(tmp_path: Path) -> None:
    verbs = (workflow.train, workflow.explain, workflow.correct, workflow.evaluate, workflow.report, workflow.seal)
    for verb in (*verbs, workflow.list_feedback, workflow.verify):
        with pytest.raises(CorrigibleError):
            list(verb(tmp_path / "nowhere"))


def test_correcting_twice_gives_the_same_model(finished: Path) -> None:
    first = open_study(finished).latest("correct")
    list(workflow.correct(finished))
    second = open_study(finished).latest("correct")
    assert first.name != second.name
    assert first.record["files"]["weights.safetensors"] == second.record["files"]["weights.safetensors"]


def test_report_and_seal_tell_of_the_feedback_and_recipe_that_were_used(finished: Path) -> None:
    list(workflow.add_feedback(finished, box=(4, 4, 1, 1), author="Too late"))
    edit(finished, 'title = "Tiny images"', 'title = "Another title"')
    list(workflow.evaluate(finished, seed=99))
    edit(finished, 'title = "Another title"', 'title = "A third title"')
    list(workflow.report(finished))
    page = (finished / "report.html").read_text()
    assert re.search(r"Too late</td>.*?measuring only: given after the correction", page)
    assert "Another title" in page
    assert "A third title" not in page
    assert "corrigible evaluate again --seed 99" in page
    (sealed,) = workflow.seal(finished)
    assert "Too late" not in (Path(sealed.path) / "feedback.json").read_text()
    assert "Too late" in (Path(sealed.path) / "feedback_later.json").read_text()


def test_feedback_is_about_one_row_or_about_a_class(tmp_path: Path) -> None:
    with pytest.raises(FeedbackError, match="one row or about a class"):
        list(workflow.add_feedback(image_study(tmp_path), box=(0, 0, 2, 2), row=3, label=1))
