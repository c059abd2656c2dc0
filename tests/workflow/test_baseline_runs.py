"""Baselines for the worst group, from the recipe to the report."""

import pytest

from corrigible.study import open_study
from studies import TABLE_RECIPE, corrigible, edit, image_study, refused, table_study

RETRAINED = '[[baseline]]\nname = "retrained"\nsplit = "validation"\n'
OF_GROUPS = (
    '[[baseline]]\nname = "group_dro"\nstep_size = 0.1\n'
    '[[baseline]]\nname = "just_train_twice"\nlabel = "twice"\nupweight = 3\n'
    '[[baseline]]\nname = "last_layer_retraining"\nsplit = "validation"\n'
)


@pytest.mark.slow
def test_each_is_made_measured_and_reported(tmp_path):
    study = table_study(tmp_path, TABLE_RECIPE.replace(RETRAINED, OF_GROUPS))
    corrigible("train", study)
    corrigible("feedback", "add", study, "--feature", "site")
    corrigible("correct", study)
    baselines = [run.record for run in open_study(study).runs() if run.verb == "baseline"]
    assert [(made["baseline"], made["label"]) for made in baselines] == [
        ("group_dro", "group dro"),
        ("just_train_twice", "twice"),
        ("last_layer_retraining", "last layer retraining"),
    ]
    records = corrigible("evaluate", study, "--json").records
    worst = {r["model"]: r["value"] for r in records if r.get("metric") == "worst_group_accuracy"}
    assert list(worst) == ["trained", "corrected", "group dro", "twice", "last layer retraining"]
    assert all(0 <= value <= 1 for value in worst.values())
    assert corrigible("report", study).code == 0
    text = (study / "report.html").read_text()
    assert all(name in text for name in worst)


def test_group_dro_is_refused_without_groups_before_anything_is_trained(tmp_path):
    study = image_study(tmp_path)
    corrigible("train", study)
    corrigible("feedback", "add", study, "--box", 0, 0, 2, 2)
    edit(study, 'name = "masked_inputs"', 'name = "group_dro"')
    assert "group" in refused("correct", study)
    assert [run.verb for run in open_study(study).runs()] == ["train"]


def test_relevant_feedback_alone_is_refused_before_a_correction_is_said_to_begin(tmp_path):
    study = image_study(tmp_path)
    corrigible("train", study)
    corrigible("feedback", "add", study, "--box", 0, 0, 2, 2, "--polarity", "relevant")
    found = corrigible("correct", study)
    assert found.code == 1
    assert found.stdout == ""
