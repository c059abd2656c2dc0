"""Bad input is answered in one line that says what was found, what was expected and what to do."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from corrigible import Feedback, TensorData, correct, evaluate, explain, fit, workflow
from corrigible.batches import label_batches
from corrigible.data.dataset import as_dataset
from corrigible.declarations import declared
from corrigible.errors import (
    CorrigibleError,
    DataError,
    FeedbackError,
    NoGradientError,
    RecipeError,
    StudyError,
    TrainingDivergedError,
    UnsupportedModelError,
)
from corrigible.models import mlp
from studies import IMAGE_RECIPE, corrigible, edit, image_study, refused, save_images, table_study

BOX = ("--box", 0, 0, 2, 2)
Y = np.arange(60) % 3
X = np.random.default_rng(0).random((60, 8, 8), dtype=np.float32)


def _from_python(verb: str, study: Path, error: type[CorrigibleError], match: str) -> None:
    with pytest.raises(error, match=match):
        list(getattr(workflow, verb)(study))


def _changed(x: Any, place: Any, value: float) -> Any:
    x = x.copy()
    x[place] = value
    return x


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (_changed(X, (7, 0, 0), np.nan), Y, "row 7 of x"),
        (_changed(X, (8, 0, 0), -np.inf), Y, "row 8 of x"),
        (X, Y * 0, "every label is 0; expected at least two classes"),
        (X, Y - 1, "expected whole numbers from 0"),
        (X, Y[:-1], r"y in .* has shape \(59,\)"),
        (X, Y / 2, "expected whole numbers"),
        (X[:0], Y[:0], "none of them 0"),
        (X[0, 0], Y[:8], "expected"),
    ],
)
def test_images_that_cannot_be_trained_on(x: Any, y: Any, said: str, tmp_path: Path) -> None:
    study = image_study(tmp_path)
    save_images(study, "train", x, y)
    _from_python("train", study, DataError, said)
    refused("train", study)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "truncated": _truncate,
    "noise": lambda path: path.write_bytes(bytes(range(256))),
    "folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_image_file_that_cannot_be_read(damage: str, tmp_path: Path) -> None:
    study = image_study(tmp_path)
    DAMAGES[damage](study / "data" / "train.npz")
    _from_python("train", study, DataError, "train.npz")
    refused("train", study)


@pytest.mark.parametrize("damage", ["missing", "empty", "noise", "folder"])
def test_a_table_that_cannot_be_read(damage: str, tmp_path: Path) -> None:
    study = table_study(tmp_path)
    DAMAGES[damage](study / "data" / "train.csv")
    _from_python("train", study, DataError, "train.csv")
    refused("train", study)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("north", "north,7", "cannot be read"),
        ("label\n", "lable\n", "no column 'label'"),
        ("north,f,1", "north,f,", "a class in every row"),
        ("north", "inf", None),
    ],
)
def test_a_table_that_cannot_be_trained_on(old: str, new: str, said: str | None, tmp_path: Path) -> None:
    study = table_study(tmp_path)
    path = study / "data" / "train.csv"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    if said is None:
        assert corrigible("train", study).code == 0
        return
    _from_python("train", study, DataError, said)
    refused("train", study)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "mlp"', 'name = "mpl"', "unknown model 'mpl': did you mean 'mlp'"),
        ('name = "right_reasons"', 'name = "right_reason"', "unknown penalty 'right_reason': did you mean"),
        ('method = "input_gradient"', 'method = "input_gradent"', "unknown explainer 'input_gradent': did you mean"),
        ('"flip_rate"', '"flip"', "unknown metric 'flip'"),
        ('kind = "image"', 'kind = "images"', "unknown kind 'images': did you mean 'image'"),
        ('name = "fine_tuned"', 'name = "fine"', "expected one of 'fine_tuned'"),
        ("epochs = 2", "epochs = -2", "epochs is -2; expected a number from 1"),
        ("batch_size = 16", "batch_size = 0", "batch_size is 0; expected a number from 1"),
        ("epochs = 2", 'epochs = "two"', "'epochs' is 'two'; expected int"),
        ("epochs = 2", "epochs = 1.5", "expected int"),
        ("hidden = [8]", "hiden = [8]", "did you mean 'hidden'"),
        ("hidden = [8]", 'hidden = "8"', "expected a list"),
        ("hidden = [8]", "hidden = [-8]", "cannot be built"),
        ("hidden = [8]", "hidden = [8, 0]", "expected numbers of at least 1"),
        ("batch_size = 16\n[correct]", "learning_rate = nan\n[correct]", "learning_rate is nan"),
        ("batch_size = 16", "weight_decay = -1", "weight_decay is -1"),
        ('weight = "auto"', "weight = -1", "has weight -1; expected a number of at least 0"),
        ('weight = "auto"', "norm = 'l3'", "expected one of 'l2', 'l1'"),
        ("seed = 3", "seed = -3", "expected a number from 0"),
        ("format = 1", "format = 99", "upgrade corrigible"),
        ("format = 1", "", "no format"),
        ('name = "mlp"', 'name = "no_such_module:network"', "cannot import 'no_such_module'"),
        ('name = "mlp"', 'name = "json:no_such_function"', "has no 'no_such_function'"),
        ('name = "mlp"', 'name = "json:__name__"', "expected a function"),
        ('kind = "image"', 'kind = "image"\nsource = 5', "expected module:function"),
        ('kind = "image"', 'kind = "image"\nsources = 5', "unknown setting 'sources'"),
        ('validation_split = "validation"', 'validation_split = "../x"', "not a plain path"),
        ('validation_split = "validation"', 'validation_split = "night"', "night.npz"),
    ],
)
def test_a_recipe_that_cannot_be_followed(old: str, new: str, said: str, tmp_path: Path) -> None:
    study = image_study(tmp_path)
    edit(study, old, new)
    assert said in refused("train", study)
    with pytest.raises(DataError if "not a plain" in said or "npz" in said else RecipeError):
        list(workflow.train(study))


def test_a_table_without_its_target_and_with_a_wrong_list(tmp_path: Path) -> None:
    study = table_study(tmp_path)
    edit(study, 'target = "label"\n', "")
    assert "[data] has no target" in refused("train", study)
    edit(study, 'kind = "table"', 'kind = "table"\ntarget = "label"\ndrop = 5')
    assert "'drop' is 5; expected a list" in refused("train", study)


@pytest.mark.parametrize("damage", ["noise", "toml", "folder"])
def test_a_recipe_that_cannot_be_read(damage: str, tmp_path: Path) -> None:
    study = image_study(tmp_path)
    path = study / "recipe.toml"
    if damage == "toml":
        path.write_text("format = = 1")
    else:
        DAMAGES[damage](path)
    said = refused("train", study)
    assert {"noise": "expected UTF-8", "toml": "not valid TOML", "folder": "it is a folder"}[damage] in said
    _from_python("train", study, RecipeError if damage == "toml" else StudyError, "recipe.toml")


def test_feedback_that_does_not_fit(tmp_path: Path) -> None:
    study = image_study(tmp_path)
    table = table_study(tmp_path / "table")
    mask = tmp_path / "mask.npy"
    np.save(mask, np.ones((3, 3), dtype=bool))
    assert "mask of shape (3, 3); expected (1, 8, 8)" in refused("feedback", "add", study, "--mask", mask)
    np.save(mask, np.ones((8, 8)))
    assert "holds float64; expected one boolean array" in refused("feedback", "add", study, "--mask", mask)
    np.savez(tmp_path / "mask.npz", np.ones((8, 8), dtype=bool))
    assert "does not begin as an .npy array" in refused("feedback", "add", study, "--mask", tmp_path / "mask.npz")
    mask.write_bytes(b"\x93NUMPY\x01\x00nonsense")
    assert "cannot read" in refused("feedback", "add", study, "--mask", mask)
    assert "there is no file" in refused("feedback", "add", study, "--mask", tmp_path / "absent.npy")
    assert "does not lie inside" in refused("feedback", "add", study, "--box", 7, 7, 2, 2)
    assert "rows 0 to 59" in refused("feedback", "add", study, *BOX, "--row", 60)
    assert "row is -1" in refused("feedback", "add", study, *BOX, "--row", -1)
    assert "unknown class '9'" in refused("feedback", "add", study, *BOX, "--label", 9)
    assert "night.npz" in refused("feedback", "add", study, *BOX, "--split", "night")
    assert "exactly one region" in refused("feedback", "add", study)
    assert "exactly one region" in refused("feedback", "add", study, *BOX, "--mask", mask)
    assert "without named features" in refused("feedback", "add", study, "--feature", "age")
    assert "did you mean 'site'" in refused("feedback", "add", table, "--feature", "sites")
    assert "no feedback has id 7" in refused("feedback", "retract", study, 7)
    assert "there is no file" in refused("feedback", "import", study, tmp_path / "absent.json")
    assert corrigible("feedback", "list", study, "--json").records == []


def test_feedback_on_a_row_that_has_changed_since(tmp_path: Path) -> None:
    study = image_study(tmp_path)
    corrigible("train", study)
    corrigible("feedback", "add", study, *BOX, "--row", 5)
    exported = tmp_path / "said.json"
    corrigible("feedback", "export", study, exported)
    save_images(study, "train", X, Y)
    assert "review the row again" in refused("correct", study)
    assert "review the row again" in refused("feedback", "import", study, exported)
    _from_python("correct", study, FeedbackError, "row 5 has fingerprint")


def test_verbs_out_of_order_say_what_comes_first(tmp_path: Path) -> None:
    study = image_study(tmp_path)
    for verb, first in (("explain", "train"), ("correct", "train"), ("evaluate", "train"), ("report", "evaluate")):
        assert f"run `corrigible {first}" in refused(verb, study)
    corrigible("train", study)
    assert "corrigible feedback add" in refused("correct", study)
    assert "run `corrigible evaluate" in refused("seal", study)
    corrigible("evaluate", study)
    corrigible("feedback", "add", study, *BOX)
    corrigible("correct", study)
    assert "has not been evaluated" in refused("seal", study)


def test_feedback_that_marks_nothing(tmp_path: Path) -> None:
    study = image_study(tmp_path)
    corrigible("train", study)
    np.save(tmp_path / "mask.npy", np.zeros((8, 8), dtype=bool))
    corrigible("feedback", "add", study, "--mask", tmp_path / "mask.npy")
    assert "marks no input of any row" in refused("correct", study)


def test_an_explainer_that_the_model_lacks_the_layers_for(tmp_path: Path) -> None:
    study = table_study(tmp_path)
    edit(study, 'method = "integrated_gradients"\nsteps = 8', 'method = "grad_cam"')
    corrigible("train", study)
    assert "convolution" in refused("explain", study)
    _from_python("explain", study, UnsupportedModelError, "convolution")


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_loss_that_is_no_number_any_more(epochs: int, tmp_path: Path) -> None:
    study = image_study(tmp_path)
    edit(
        study,
        "epochs = 2\nbatch_size = 16\n[correct]",
        f"epochs = {epochs}\nbatch_size = 64\nlearning_rate = 1e30\n[correct]",
    )
    assert "lower the learning rate" in refused("train", study)
    _from_python("train", study, TrainingDivergedError, "no longer a finite number")
    assert list((study / "runs").glob("*-train")) == []


def test_weights_that_were_truncated(finished: Path) -> None:
    weights = finished / "runs" / "0001-train" / "weights.safetensors"
    _truncate(weights)
    for verb in ("correct", "evaluate", "report"):
        assert "0001-train/weights.safetensors was changed" in refused(verb, finished)
    assert "was changed" in refused("explain", finished, "--run", "0001-train")


@pytest.mark.parametrize("verb", ["train", "explain", "correct", "evaluate"])
@pytest.mark.parametrize("device", ["nonsense", "cuda:99", "meta", ""])
def test_a_device_that_is_not_there(verb: str, device: str, finished: Path) -> None:
    assert f"device {device!r} cannot be used here" in refused(verb, finished, "--device", device)


def test_folders_that_cannot_be_written(finished: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert "cannot write in" in refused("init", file / "study")
    assert "there is no folder" in refused("feedback", "export", finished, file / "said.json")
    study = image_study(tmp_path / "study")
    (study / "runs").write_text("")
    assert "cannot write in" in refused("train", study)
    (finished / "sealed").write_text("")
    assert "cannot write in" in refused("seal", finished)
    (finished / "report.html").mkdir()
    assert "cannot write in" in refused("report", finished)
    assert "already holds a study" in refused("init", finished)
    assert "unknown kind 'imag': did you mean 'image'" in refused("init", tmp_path / "new", "--kind", "imag")


MODULE = """
import torch
from torch import nn
from corrigible import TensorData

def nonsense(split): return [1, 2, 3]
def two_classes_then_five(split):
    labels = torch.arange(20) % (2 if split == "train" else 5)
    return TensorData(torch.randn(20, 1, 8, 8), labels)
def network(inputs, num_classes): return nn.Sequential(nn.Flatten(), nn.Linear(inputs, num_classes))
def no_network(inputs): return "network"
def three_axes(): return nn.Identity()
def too_few_classes(inputs): return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 2))
def other_inputs(num_classes): return nn.Sequential(nn.Flatten(), nn.Linear(9, num_classes))
def frozen(inputs, num_classes): return network(inputs, num_classes).requires_grad_(False)
def detached(forward, batch): return forward.input_gradient(lambda l, t: l.sum(1), batch.y).detach().sum()
def asks_for_weather(weather): return weather.mean()
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study that may name functions of a user's module ``own_methods``."""
    (tmp_path / "own_methods.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_methods", raising=False)
    return image_study(tmp_path / "study", IMAGE_RECIPE.replace("hidden = [8]\n", ""))


@pytest.mark.parametrize(
    ("model", "error", "said"),
    [
        ("no_network", RecipeError, "gave a str; expected a torch.nn.Module"),
        ("three_axes", UnsupportedModelError, "with places"),
        ("too_few_classes", DataError, "2 classes"),
        ("other_inputs", DataError, "which the model cannot take"),
        ("frozen", NoGradientError, "unfreeze some"),
    ],
)
def test_a_users_model_that_does_not_fit(model: str, error: type[CorrigibleError], said: str, own: Path) -> None:
    edit(own, '"mlp"', f'"own_methods:{model}"')
    assert said in refused("train", own)
    _from_python("train", own, error, said)


def test_a_lenet_on_images_of_another_size(tmp_path: Path) -> None:
    study = image_study(tmp_path)
    edit(study, '"mlp"\nhidden = [8]', '"lenet"')
    assert "which the model cannot take" in refused("train", study)


def test_a_users_data_that_is_none(own: Path) -> None:
    edit(own, 'kind = "image"', 'kind = "image"\nsource = "own_methods:nonsense"')
    assert "split 'train': data is a list of int; expected (x, y)" in refused("train", own)


def test_labels_outside_the_classes_that_were_trained(own: Path) -> None:
    edit(own, 'kind = "image"', 'kind = "image"\nsource = "own_methods:two_classes_then_five"')
    edit(own, 'validation_split = "validation"\n', "")
    assert corrigible("train", own).code == 0
    assert "counted from 0: 0 to 1" in refused("evaluate", own)


def test_a_penalty_that_reaches_no_parameter(own: Path) -> None:
    edit(own, '"right_reasons"', '"own_methods:detached"')
    corrigible("train", own)
    corrigible("feedback", "add", own, *BOX)
    assert "does not reach the model's parameters" in refused("correct", own)
    edit(own, '"auto"', "1.0")
    assert "does not reach the model's parameters" in refused("correct", own)
    _from_python("correct", own, NoGradientError, "teach nothing")


def test_a_metric_that_asks_for_unknown_observation(own: Path) -> None:
    corrigible("train", own)
    edit(own, '"flip_rate"', '"own_methods:asks_for_weather"')
    assert "unknown observation 'weather'" in refused("evaluate", own)


def test_the_same_from_python() -> None:
    torch.manual_seed(0)
    model = mlp(64, 3, hidden=(4,))
    x = torch.from_numpy(X)
    feedback = [Feedback(np.eye(8) > 0, row=0)]

    def corrected(data: Any = (x, Y), said: Any = feedback, **settings: Any) -> object:
        return correct(model, data, said, **{"epochs": 1, **settings})

    cases: list[tuple[type[CorrigibleError], str, Callable[[], object]]] = [
        (FeedbackError, "no feedback", lambda: corrected(said=[])),
        (FeedbackError, "rows 0 to 59", lambda: corrected(said=[Feedback(np.ones((8, 8), dtype=bool), row=60)])),
        (FeedbackError, "expected", lambda: corrected(said=[Feedback(np.ones((3, 8), dtype=bool), row=0)])),
        (DataError, "at least two classes", lambda: corrected((x, Y * 0))),
        (DataError, "60 and 59 rows", lambda: corrected((x, Y[1:]))),
        (DataError, "row 7", lambda: corrected((_changed(X, (7, 0, 0), np.nan), Y))),
        (DataError, "cannot take", lambda: corrected((X[:, :7], Y))),
        (RecipeError, "epochs is -1", lambda: corrected(epochs=-1)),
        (RecipeError, "batch_size is 0", lambda: corrected(batch_size=0)),
        (RecipeError, "did you mean 'right_reasons'", lambda: corrected(penalties={"right_reason": 1})),
        (
            RecipeError,
            "did you mean 'norm'",
            lambda: corrected(penalties={"right_reasons": {"weight": 1, "nrom": "l1"}}),
        ),
        (
            TrainingDivergedError,
            "lower",
            lambda: corrected(learning_rate=1e30, epochs=3, penalties={"right_reasons": 1}),
        ),
        (RecipeError, "unknown metric", lambda: evaluate(model, (x, Y), metrics=["acuracy"])),
        (DataError, "label 3", lambda: evaluate(model, (x, Y + 1), metrics=["accuracy"])),
        (RecipeError, "unknown explainer", lambda: explain(model, x, 0, method="gradcam")),
        (DataError, "expected 0 to 2", lambda: explain(model, x, 3)),
        (UnsupportedModelError, "convolution", lambda: explain(model, x, 0, method="grad_cam")),
        (UnsupportedModelError, "one prediction per row", lambda: corrected_identity(x)),
        (NoGradientError, "parameters", lambda: corrected_frozen(x)),
    ]
    for error, match, call in cases:
        with pytest.raises(error, match=match):
            call()


def corrected_identity(x: torch.Tensor) -> object:
    return correct(nn.Identity(), (x, Y), [Feedback(np.eye(8) > 0, row=0)], epochs=1)


def corrected_frozen(x: torch.Tensor) -> object:
    model = mlp(64, 3, hidden=(4,)).requires_grad_(False)
    return correct(model, (x, Y), [Feedback(np.eye(8) > 0, row=0)], epochs=1)


def test_an_explanation_loss_that_cannot_reach_the_parameters() -> None:
    frozen = mlp(64, 3, hidden=(4,)).requires_grad_(False)
    with pytest.raises(NoGradientError):
        explain(frozen, torch.from_numpy(X), 0, method="input_gradient", differentiable=True)
    model = mlp(64, 3, hidden=(4,))
    optimizer = torch.optim.Adam(model.parameters())
    batches = label_batches(as_dataset((X, Y)), 16, 0)

    @declared(rows="labelled")
    def detached(forward: Any, batch: Any) -> Any:
        return forward.logits.detach().square().mean()

    with pytest.raises(NoGradientError, match="detached"):
        list(fit(model, batches, penalties={detached: 1.0}, optimizer=optimizer, epochs=1))


def test_data_given_as_tensors_keeps_its_checks() -> None:
    with pytest.raises(DataError, match="row 1 of x"):
        correct(mlp(1, 2), TensorData(torch.tensor([[0.0], [float("nan")]]), torch.tensor([0, 1])), [])
