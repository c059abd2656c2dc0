"""Attacks beside the metrics of an evaluation: each figure is that of the function on the same rows."""

import json
from pathlib import Path

import pytest

from corrigible.protocols.privacy.membership_inference import membership_inference
from corrigible.recipe import load_data
from corrigible.study import open_study
from corrigible.workflow.making import load_model
from studies import IMAGE_RECIPE, TABLE_RECIPE, corrigible, edit, image_study, table_study, text_study

ATTACKED = "num_donors = 5\nnum_attacked = 4\nepsilon = 0.2"
BOTH = ("--privacy", "--robustness")


def evaluated(study: Path, *options: str) -> dict[tuple[str, str], dict]:
    """The measurements of the trained model by metric and part, as the command tells them."""
    assert corrigible("train", study).code == 0
    records = corrigible("evaluate", study, *options, "--json").records
    return {(record["metric"], record["part"]): record for record in records if "metric" in record}


def test_attacks_on_images_are_those_of_the_functions(tmp_path):
    study = image_study(tmp_path / "images", IMAGE_RECIPE.replace("num_donors = 5", ATTACKED))
    found = evaluated(study, *BOTH)
    opened = open_study(study)
    model = load_model(opened.latest("train"), opened.recipe).eval()
    known, beside = (load_data(opened.recipe, study, split) for split in ("train", "validation"))
    told = membership_inference(model, known, beside, seed=3)
    assert found["membership_auc", ""]["value"] == pytest.approx(told.auc)
    assert found["membership_tpr_at_1pct_fpr", ""]["value"] is None
    assert found["robust_accuracy", ""]["count"] == found["certified_accuracy", ""]["count"] == 4
    assert found["certified_accuracy", ""]["value"] <= found["robust_accuracy", ""]["value"]
    assert ("robust_accuracy", "square attack") in found


def test_without_the_options_nothing_is_attacked(tmp_path):
    found = evaluated(image_study(tmp_path / "images"))
    assert not [metric for metric, _ in found if metric.startswith(("membership", "robust"))]


def test_attacks_on_a_table_keep_to_the_recipes_constraints(tmp_path):
    fixed = '\n[counterfactuals]\nimmutable = ["age", "site", "sex"]\n'
    study = table_study(tmp_path / "table", TABLE_RECIPE.replace("num_donors = 5", ATTACKED) + fixed)
    found = evaluated(study, *BOTH)
    assert found["robust_accuracy", ""]["count"] == 4
    assert found["robust_accuracy", ""]["note"] == "under allowed changes that cost at most 0.2 together"
    # The group is a column of the table, and tells nothing of the label: without it nobody knows it.
    assert found["attribute_inference_accuracy", "the other columns alone"]["value"] < 0.9
    assert ("attribute_inference_accuracy", "the other columns alone") in found
    edit(study, 'immutable = ["age", "site", "sex"]', 'immutable = ["sex"]')
    free = {
        (record["metric"], record["part"]): record
        for record in corrigible("evaluate", study, "--robustness", "--json").records
        if "metric" in record
    }
    assert free["robust_accuracy", ""]["value"] <= found["robust_accuracy", ""]["value"]


def test_texts_and_their_attacks_that_do_not_exist_say_so(tmp_path):
    found = evaluated(text_study(tmp_path / "texts"), "--robustness")
    assert found["robust_accuracy", ""]["value"] is None
    assert "words" in found["robust_accuracy", ""]["note"]


def test_the_report_shows_what_attackers_reach_and_how_to_measure_it_again(tmp_path):
    study = image_study(tmp_path / "images", IMAGE_RECIPE.replace("num_donors = 5", ATTACKED))
    evaluated(study, *BOTH)
    assert corrigible("report", study).code == 0
    page = (study / "report.html").read_text()
    assert "membership AUC" in page
    assert "corrigible evaluate again --privacy --robustness" in page
    assert json.loads((open_study(study).latest("evaluate").folder / "run.json").read_text())["options"] == {
        "privacy": True,
        "robustness": True,
    }
