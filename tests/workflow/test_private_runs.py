"""A study with private steps: the run keeps what they cost, and so do its seal and the report."""

import json

import pytest

from corrigible import workflow
from corrigible.errors import RecipeError
from studies import TABLE_RECIPE, table_study

pytest.importorskip("opacus")
STEP = 'step = { name = "private", noise_multiplier = 1.0, delta = 1e-3, is_seeded = true }\n'
RECIPE = TABLE_RECIPE.replace("batch_size = 32\n", "batch_size = 32\n" + STEP).replace(
    "[correct]\n", "[correct]\n" + STEP
)
WITHOUT_BASELINE = RECIPE.partition("[[baseline]]")[0] + "[explain]" + RECIPE.partition("[explain]")[2]


def last(records):
    *_, found = records
    return found


def test_what_private_steps_cost_is_in_the_run_and_adds_up(tmp_path):
    folder = table_study(tmp_path / "study", WITHOUT_BASELINE)
    said = last(workflow.train(folder)).result
    record = json.loads((folder / "runs/0001-train/run.json").read_text())["privacy"]
    assert record["said"] in said
    assert record["epsilon"] > 0
    assert record["reviewed_epsilon"] is None
    last(workflow.add_feedback(folder, features=("site",), row=3))
    corrected = last(workflow.correct(folder))
    run = json.loads((folder / "runs/0002-correct/run.json").read_text())["privacy"]
    assert run["said"] in corrected.result
    assert run["history"][0] == record["history"][0]
    assert run["reviewed_epsilon"] > run["epsilon"] > record["epsilon"]


@pytest.mark.slow
def test_the_report_and_the_seal_say_what_private_steps_cost(tmp_path):
    folder = table_study(tmp_path / "study", WITHOUT_BASELINE)
    last(workflow.train(folder))
    last(workflow.add_feedback(folder, features=("site",), row=3))
    last(workflow.correct(folder))
    run = json.loads((folder / "runs/0002-correct/run.json").read_text())["privacy"]
    last(workflow.evaluate(folder))
    last(workflow.report(folder))
    assert f"is {run['said']}".replace("'", "&#39;") in (folder / "report.html").read_text()
    last(workflow.seal(folder, anyway=True))
    sealed = json.loads((folder / "sealed/0002-correct/run.json").read_text())
    assert sealed["privacy"] == run


def test_a_private_correction_of_another_training_is_refused(tmp_path):
    folder = table_study(tmp_path / "study", TABLE_RECIPE.replace("[correct]\n", "[correct]\n" + STEP))
    last(workflow.train(folder))
    last(workflow.add_feedback(folder, features=("site",), row=3))
    with pytest.raises(RecipeError, match="was not trained with private steps"):
        last(workflow.correct(folder))
