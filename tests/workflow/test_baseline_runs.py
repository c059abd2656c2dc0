"""Baselines for the worst group, from the recipe to the report."""

from unittest.mock import Mock

import pytest
import torch

from corrigible import TensorData
from corrigible.models import mlp
from corrigible.models.bayes import bayesian
from corrigible.models.networks import copied
from corrigible.protocols.schedule import Schedule, run
from corrigible.recipe import Recipe
from corrigible.study import Study, open_study
from corrigible.workflow.baselines import KINDS, Making
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


OWN = {"kl_divergence": {"weight": 1.0, "temperature": 0.5}}


@pytest.mark.parametrize(
    ("of_training", "of_correction", "kept"),
    [
        ({}, {**OWN, "right_reasons": {"weight": 1.0}}, OWN),
        (OWN, None, OWN),
        ({"kl_divergence": {"weight": 3.0}, "gradient_size": {"weight": 1.0}}, OWN, OWN),
        ({}, {"kl_divergence": {"weight": "auto"}}, {"kl_divergence": {"weight": 1.0}}),
        ({"gradient_size": {"weight": 1.0}}, {"right_reasons": {"weight": 1.0}}, {}),
    ],
)
def test_training_on_without_feedback_keeps_the_divergence_of_a_bayesian_network(of_training, of_correction, kept):
    """It belongs to the network's own objective: without it the standard deviations would shrink to 0."""
    torch.manual_seed(0)
    start = bayesian(mlp(3, 2), prior_std=0.5) if kept else mlp(3, 2)
    data, how = TensorData(torch.rand(8, 3), torch.arange(8) % 2), Schedule(epochs=2, learning_rate=0.1)
    recipe = Mock(Recipe, train_penalties=of_training, penalties=of_correction, validation_split=None)
    expected, found = copied(start), copied(start)
    of_rows = {name: {**settings, "num_rows": 8} for name, settings in kept.items()}
    list(run(expected, data, how, penalties=of_rows, seed=1))
    list(KINDS["fine_tuned"].make(Making(Mock(Study, recipe=recipe), found, data, how, 1)))
    assert all(torch.equal(value, found.state_dict()[name]) for name, value in expected.state_dict().items())
