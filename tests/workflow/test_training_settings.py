"""What a recipe says of training itself, and classes given by name."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from corrigible import TensorData, workflow
from corrigible.errors import DataError, FeedbackError, RecipeError, UnsupportedModelError
from corrigible.losses import cross_entropy
from corrigible.models import mlp
from corrigible.protocols.baselines.group_dro import group_dro
from corrigible.protocols.schedule import Schedule
from corrigible.study import open_study
from corrigible.workflow.making import load_model
from studies import TABLE_RECIPE, edit, table_study, text_study


def weights(study: Path) -> torch.Tensor:
    list(workflow.train(study))
    model = load_model(open_study(study).latest("train"))
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach()


@pytest.mark.parametrize(
    "line",
    [
        'optimizer = "SGD"',
        "weight_decay = 3.0",
        '[[train.penalty]]\nname = "gradient_size"\nweight = 100.0',
        '[[train.augment]]\nname = "input_noise"\ndeviation = 2.0',
    ],
)
def test_a_setting_of_training_changes_what_is_trained_in_the_same_way_each_time(tmp_path, line):
    plain = weights(table_study(tmp_path / "plain"))
    changed = TABLE_RECIPE.replace("batch_size = 32\n", f"batch_size = 32\n{line}\n")
    first, again = (weights(table_study(tmp_path / name, changed)) for name in ("first", "again"))
    assert torch.equal(first, again)
    assert not torch.equal(first, plain)


def test_a_named_loss_is_the_one_that_trains(tmp_path):
    recipe = TABLE_RECIPE.replace("batch_size = 32\n", 'batch_size = 32\nloss = "member_task_loss"\n')
    with pytest.raises(UnsupportedModelError, match="no Ensemble in it"):
        weights(table_study(tmp_path, recipe))


def test_a_loss_beside_a_method_that_has_its_own_is_refused():
    def twice(forward, batch):
        return 2 * cross_entropy(forward, batch)

    data = TensorData(torch.rand(8, 3), torch.arange(8) % 2, torch.arange(8) // 4)
    running = group_dro(mlp(3, 2), data, schedule=Schedule(epochs=1, loss=twice))
    with pytest.raises(RecipeError, match="has a label loss of its own, and 'twice' is named too: leave out loss"):
        list(running)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            '[[train.penalty]]\nname = "right_reasons"\nweight = 1.0',
            r"\[train\]: right_reasons learns from feedback",
        ),
        ('[[train.augment]]\nname = "transplant"', r"\[train\]: transplant learns from feedback.*\[\[augment\]\]"),
        ('[[train.penalty]]\nname = "gradient_size"', "penalty 'gradient_size' has weight 'auto'; expected a number"),
        (
            'penalty = "gradient_size"',
            r"\[train\]: penalty is 'gradient_size'; expected tables",
        ),
        ('optimizer = "Sgd"', r"\[train\]: unknown optimizer 'Sgd': did you mean 'SGD'"),
        ('loss = "crossentropy"', r"\[train\]: unknown loss 'crossentropy': did you mean 'cross_entropy'"),
        ("epochs = 2.5", "'epochs' is 2.5; expected int"),
    ],
)
def test_other_settings_of_training_are_refused(tmp_path, lines, message):
    recipe = TABLE_RECIPE.replace("[train]\nepochs = 1\nbatch_size = 32\n", f"[train]\n{lines}\n")
    with pytest.raises(RecipeError, match=message):
        list(workflow.train(table_study(tmp_path, recipe)))


def test_a_column_says_how_much_each_row_counts(tmp_path):
    plain = weights(table_study(tmp_path / "plain"))
    studies = {}
    for name, counts in {"one": 1.0, "two": 2.0, "by class": None}.items():
        study = table_study(tmp_path / name)
        edit(study, 'group = "sex"\n', 'group = "sex"\nweight = "counts"\n')
        for path in (study / "data").glob("*.csv"):
            frame = pd.read_csv(path)
            frame["counts"] = frame["label"] * 5.0 if counts is None else counts
            frame.to_csv(path, index=False)
        studies[name] = weights(study)
    assert len(studies["one"]) == len(plain)  # The column is no feature.
    torch.testing.assert_close(studies["one"], plain)
    torch.testing.assert_close(studies["two"], plain)
    assert not torch.allclose(studies["by class"], plain)


def test_a_weight_that_is_no_number_of_at_least_0_is_refused(tmp_path):
    study = table_study(tmp_path)
    edit(study, 'group = "sex"\n', 'group = "sex"\nweight = "age"\n')
    path = study / "data" / "train.csv"
    frame = pd.read_csv(path)
    frame.loc[3, "age"] = -1.0
    frame.to_csv(path, index=False)
    with pytest.raises(DataError, match="say how much each row counts"):
        list(workflow.train(study))


def test_a_class_may_be_named(tmp_path):
    study = text_study(tmp_path)
    list(workflow.add_feedback(study, phrase="zeb1", label="praise"))
    list(workflow.add_feedback(study, phrase="zeb0", label="0"))
    with open_study(study).feedback() as store:
        assert sorted(said.label for _, said in store.at_revision(store.revision)) == [0, 1]
    with pytest.raises(FeedbackError, match="unknown class 'prais': did you mean 'praise'"):
        list(workflow.add_feedback(study, phrase="zeb1", label="prais"))
