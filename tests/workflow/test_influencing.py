"""Which training rows taught a study's model, on the command line: with all that its training minimised."""

import json

import pytest
import torch

import corrigible as library
from corrigible import workflow
from corrigible.data.dataset import TensorData, rows_of
from corrigible.errors import StudyError
from corrigible.protocols.influence.influence_all import read_influence
from corrigible.recipe import load_data
from corrigible.study import open_study
from corrigible.types import Feedback, Pixels
from corrigible.workflow.making import load_model
from corrigible.workflow.minimised import minimised
from corrigible.workflow.row_texts import outputs_of
from studies import TABLE_RECIPE, corrigible, edit, refused, table_study


def by_hand(folder, name, split, row, **settings):
    """The influence on what the run predicts of the row."""
    study = open_study(folder)
    run = study.run_named(name)
    train, rows = (load_data(study.recipe, folder, part) for part in ("train", split))
    model, asked = load_model(run), rows_of(rows, torch.tensor([row]))
    predicted = outputs_of(model, asked).argmax(dim=1)
    query = TensorData(asked.x, predicted, class_names=asked.class_names)
    return library.influence(model, train, query, **settings)


def records(*arguments):
    answer = corrigible(*arguments, "--json")
    assert answer.code == 0, answer
    return answer.records


def test_a_corrections_penalties_with_their_chosen_weights_and_feedback_count(finished):
    study = open_study(finished)
    run = study.run_named("0002-correct")
    taught, done = records("influence", finished, "--row", 3, "--n", 2)[-2:]
    (weight,) = run.record["weights"].values()
    feedback = [said for _, said in study.feedback().__enter__().active()]
    how = {"schedule": run.recipe.correct, "penalties": {"right_reasons": weight}, "feedback": feedback}
    found = by_hand(finished, run.name, "test", 3, method="last_layer", nearest=60, **how)
    for side, expected in (("helpful", found.most_helpful(0, 2)), ("harmful", found.most_harmful(0, 2))):
        assert [one["row"] for one in taught[side]] == [one.row for one in expected]
        assert [one["value"] for one in taught[side]] == pytest.approx([one.value for one in expected], rel=1e-4)
    assert tuple(done["doubts"]) == found.warnings
    kept = json.loads((finished / "runs" / "0006-influence" / "influence.json").read_text())
    assert kept["rows"] == [{k: v for k, v in taught.items() if k != "record"}]
    assert kept["damping"] == pytest.approx(found.damping, rel=1e-4)
    assert corrigible("verify", finished).code == 0


def test_the_replay_of_a_trained_model_begins_at_the_network_before_training(finished):
    taught, done = records("influence", finished, "--run", "0001-train", "--row", 2, "--method", "replay")[-2:]
    assert taught["helpful"] and "replay in 0001-train: of all training rows, on 1 row of test" in done["result"]
    assert not any("minimum" in doubt for doubt in done["doubts"])


def test_the_surest_wrong_predictions_are_asked_about_and_told_with_their_names(finished):
    said = corrigible("influence", finished)
    assert said.stdout.count("; without them less sure of this (change of its loss without the row)") == 3
    assert "careful: the model is not at a minimum" in said.stdout
    assert "train row" in said.stdout and "labels may be wrong" in said.stdout


def test_a_row_of_training_and_forgotten_rows_are_not_listed(finished):
    assert corrigible("forget", finished, "--rows", "10-59", "--why", "a").code == 0
    (taught,) = (one for one in records("influence", finished, "--split", "train", "--row", 3) if "helpful" in one)
    listed = {one["row"] for side in ("helpful", "harmful") for one in taught[side]}
    assert listed and listed <= set(range(10)) - {3}


def test_what_a_correction_moved_is_told(tmp_path):
    folder = table_study(
        tmp_path / "table", TABLE_RECIPE.replace('[[penalty]]\nname = "right_reasons"\nweight = 10.0\n', "")
    )
    corrigible("train", folder)
    corrigible("feedback", "add", folder, "--feature", "site")
    corrigible("correct", folder, "--only", "none")
    *_, taught, done = records("influence", folder, "--row", 1)
    assert any("trained on rows that transplant changed" in doubt for doubt in done["doubts"])
    study = open_study(folder)
    known = minimised(study, study.run_named("0002-correct"), load_data(study.recipe, folder, "train"), frozenset())
    assert known.changes == ("transplant",)
    assert known.penalties == {"energy_outside": {"weight": 2.0}}  # Beside it, for a rule on a table.
    assert taught["label"] in ("0", "1") and taught["titles"][0].startswith("Taught “")


def test_options_of_a_run_count_in_place_of_its_recipe(tmp_path):
    folder = table_study(tmp_path / "table")
    corrigible("train", folder, "--epochs", 2)
    corrigible("feedback", "add", folder, "--feature", "site")
    corrigible("correct", folder, "--only", "none", "--penalty", "gradient_size", "--weight", 0.5, "--epochs", 3)
    edit(folder, 'name = "right_reasons"', 'name = "energy_outside"')
    study = open_study(folder)
    data = load_data(study.recipe, folder, "train")
    trained, corrected = (
        minimised(study, study.run_named(name), data, frozenset()) for name in ("0001-train", "0002-correct")
    )
    assert (trained.schedule.epochs, trained.penalties, trained.feedback) == (2, {}, None)
    assert (corrected.schedule.epochs, dict(corrected.penalties)) == (3, {"gradient_size": {"weight": 0.5}})
    assert corrected.feedback is not None and len(corrected.feedback) == 1


def test_feedback_on_forgotten_rows_is_left_out(finished):
    mask = torch.zeros(1, 8, 8, dtype=torch.bool).numpy()
    mask[0, 0, 0] = True
    study = open_study(finished)
    with study.feedback() as store:
        store.add(Feedback(Pixels(mask), row=5))
    assert corrigible("correct", finished, "--only", "none").code == 0
    run, data = study.latest("correct"), load_data(study.recipe, finished, "train")
    assert [len(minimised(study, run, data, gone).feedback) for gone in (frozenset(), frozenset({5}))] == [2, 1]


def test_every_row_goes_to_shards_that_survive_an_interruption(finished):
    begun = workflow.influence_all(finished, n=2)
    planned = next(begun)
    assert (planned.num_rows, planned.num_kept) == (24, 0)
    begun.close()
    assert (finished / "runs" / ".unfinished-influence" / "test" / "test-plan.json").exists()
    *_, done = records("influence", finished, "--all", "--n", 2)
    assert not (finished / "runs" / ".unfinished-influence").exists()
    (part,) = read_influence(done["path"], name="test")
    assert part.values.shape == (24, 4)
    (taught, _) = records("influence", finished, "--row", 3, "--n", 2)[-2:]
    assert [one["row"] for one in taught["helpful"]] == [one.row for one in part.most_helpful(3)]
    assert tuple(done["doubts"]) == part.warnings
    assert corrigible("verify", finished).code == 0


def test_what_cannot_be_asked_is_refused_in_one_line(finished):
    assert "expected a run of train, correct or forget" in refused("influence", finished, "--run", "0003-baseline")
    assert "row 24; test has rows 0 to 23" in refused("influence", finished, "--row", 24)
    assert "'right_reasons' is a penalty" in refused("influence", finished, "--method", "ek_fac")
    assert "influence method" in refused("influence", finished, "--method", "exakt")
    assert corrigible("influence", finished, "--all", "--row", 1).code == 2
    with pytest.raises(StudyError, match="trained by another objective"):
        list(workflow.influence_all(finished, run="0003-baseline"))
