"""A copy forgets, the model stays as it was, and the record says what happened."""

import copy
import logging

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import corrigible
from corrigible.data.dataset import TensorData, as_dataset
from corrigible.errors import DataError, NoGradientError, RecipeError, SealError, UnsupportedModelError
from corrigible.feedback.masks import fingerprint
from corrigible.protocols.unlearning.forgotten_rows import forgotten_rows
from corrigible.protocols.unlearning.unlearning import UNLEARNING, unlearn

QUIET = {"progress": False}
FAST = {name: {} if name == "newton_step" else {"epochs": 1} for name in UNLEARNING}


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 3))


def rows(num_rows: int = 120) -> TensorData:
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(num_rows) % 3
    x = torch.randn(num_rows, 4, generator=generator) + 3 * nn.functional.one_hot(y, 4)
    return TensorData(x, y, class_names=("a", "b", "c"))


@pytest.fixture(scope="module")
def fitted() -> nn.Module:
    return corrigible.train(network(), rows(), epochs=15, learning_rate=0.01, **QUIET)


@pytest.mark.parametrize("method", UNLEARNING)
def test_every_method_leaves_the_model_and_repeats_with_its_seed(method, fitted):
    model = copy.deepcopy(fitted)
    model.train()
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    first, again = (unlearn(model, rows(), [0, 3, 6], method=method, seed=4, **QUIET, **FAST[method]) for _ in range(2))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training and first.training  # As the model was given.
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in first.state_dict().items())
    assert any(not torch.equal(value, before[name]) for name, value in first.state_dict().items())
    assert first.unlearned.method == method


def test_a_class_is_forgotten_and_the_others_are_kept(fitted):
    data = rows()
    found = unlearn(fitted, data, "class=c", batch_size=16, epochs=6, learning_rate=0.01, **QUIET)
    said = found.unlearned
    assert said.what == "class c, 40 rows"
    assert (said.forgotten.quality_before, said.kept.quality_before) == pytest.approx(_accuracies(fitted, data))
    assert (said.forgotten.quality_after, said.kept.quality_after) == pytest.approx(_accuracies(found, data))
    assert said.forgotten.quality_after < 0.2 < 0.9 < said.kept.quality_after
    assert said.ruin == ""
    assert "class c" in str(said) and "kept rows" in said._repr_html_().replace(">kept<", ">kept rows<")


def _accuracies(model: nn.Module, data: TensorData) -> tuple[float, float]:
    is_right = (model.eval()(data.x).argmax(1) == data.y).double()
    return float(is_right[data.y == 2].mean()), float(is_right[data.y != 2].mean())


def test_the_record_keeps_hashes_of_the_rows_in_place_of_the_rows(fitted):
    data = rows()
    said = unlearn(fitted, data, torch.arange(len(data)) < 2, epochs=1, **QUIET).unlearned
    assert said.fingerprints == (fingerprint(data.x[0]), fingerprint(data.x[1]))
    assert len(said.digest) == 64
    assert said.num_forgotten == 2


def test_a_copy_that_lost_too_much_says_so_and_is_not_sealed(fitted, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        found = unlearn(fitted, rows(), [0, 1], learning_rate=1.0, epochs=3, batch_size=8, most_lost=0.0, **QUIET)
    assert "on kept rows, and may lose 0" in found.unlearned.ruin
    assert found.unlearned.ruin in caplog.text
    with pytest.raises(SealError, match="lost"):
        corrigible.seal(found, tmp_path / "sealed")
    corrigible.seal(found, tmp_path / "sealed", anyway=True)


def test_parts_are_forgotten_one_after_the_other(fitted):
    found = unlearn(fitted, rows(), [0, 1, 2, 3], parts=2, epochs=1, **QUIET)
    assert found.unlearned.num_forgotten == 4


@pytest.mark.parametrize(
    "forget",
    [
        [5, 2, 2],
        np.array([2, 5]),
        torch.tensor([2, 5]),
        [i in (2, 5) for i in range(120)],
        np.array([2, 5], dtype=np.uint16),
        np.array([2, 5], dtype=np.uint64),
        torch.tensor([2, 5]).to(torch.uint16),
        pd.Series([5, 2], index=["a", "b"]),
        pd.Series([i in (2, 5) for i in range(120)], index=range(500, 620)),
    ],
)
def test_rows_are_named_by_position_or_by_a_mask(forget):
    assert forgotten_rows(rows(), forget).tolist() == [2, 5]


@pytest.mark.parametrize("given", [{"forget": "class=b"}, {"label": "b"}, {"label": 1}, {"forget": "class=1"}])
def test_a_class_is_named_by_name_or_number(given):
    assert forgotten_rows(rows(), **given).tolist() == list(range(1, 120, 3))


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({}, RecipeError, "either forget"),
        ({"forget": [0], "label": 1}, RecipeError, "either forget"),
        ({"forget": "age"}, RecipeError, "limit_influence"),
        ({"forget": ["age", "sex"]}, RecipeError, "forget names age, sex"),
        ({"forget": []}, DataError, "no row is to be forgotten"),
        ({"forget": np.array([i in (2, 5) for i in range(120)], dtype=np.uint8)}, DataError, "only 0 and 1"),
        ({"forget": [int(i in (2, 5)) for i in range(120)]}, DataError, "a mask to be boolean"),
        ({"forget": [True, 2]}, DataError, "both booleans and numbers"),
        ({"label": 0.9}, RecipeError, "label is 0.9; expected a whole number"),
        ({"label": True}, RecipeError, "label is True"),
        ({"label": float("nan")}, RecipeError, "label is nan"),
        ({"label": [1]}, RecipeError, r"label is \[1\]"),
        ({"forget": [[1], [2, 3]]}, DataError, "positions of rows"),
        ({"forget": torch.zeros(120, dtype=torch.bool)}, DataError, "no row"),
        ({"forget": torch.ones(120, dtype=torch.bool)}, DataError, "all 120 rows"),
        ({"forget": torch.ones(7, dtype=torch.bool)}, DataError, "the mask has shape"),
        ({"forget": [120]}, DataError, "there is no row 120"),
        ({"forget": [-1]}, DataError, "there is no row -1"),
        ({"forget": [0.5]}, DataError, "positions of rows"),
        ({"forget": object()}, DataError, "positions of rows"),
    ],
)
def test_what_cannot_be_forgotten_is_refused(given, error, says):
    with pytest.raises(error, match=says):
        forgotten_rows(rows(), **given)


def test_amounts_have_no_classes_to_forget():
    data = as_dataset(TensorData(torch.randn(6, 2), torch.randn(6), task="amounts"))
    with pytest.raises(DataError, match="no classes"):
        forgotten_rows(data, label=0)


def test_amounts_are_forgotten_too():
    data = TensorData(rows().x, rows().x[:, 0] * 2 + 1, task="amounts")
    model = corrigible.train(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)), data, epochs=3, **QUIET)
    said = unlearn(model, data, [0, 1, 2], epochs=1, **QUIET).unlearned
    assert said.quality_name != "accuracy"
    assert said.kept.loss_after < 2 * said.kept.loss_before


def test_a_ranking_and_outputs_without_a_linear_layer_are_refused(fitted):
    query = {"query": torch.arange(6) // 3}
    ranked = TensorData(torch.randn(6, 4), torch.arange(6) % 3, task="ranking", extra=query)
    with pytest.raises(UnsupportedModelError, match="rows of a query"):
        unlearn(nn.Linear(4, 1), ranked, [0])
    with pytest.raises(UnsupportedModelError, match="neighbours=0"):
        unlearn(nn.Sequential(fitted, nn.Softplus()), rows(), [0])


def test_parts_of_the_model_keep_their_modes(fitted):
    model = copy.deepcopy(fitted).train()
    model[1].eval()
    found = unlearn(model, rows(), [0], epochs=1, **QUIET)
    assert [part.training for part in found] == [part.training for part in model] == [True, False, True, True, True]


def test_settings_and_methods_are_checked(fitted):
    with pytest.raises(RecipeError, match="unknown method of unlearning 'hybird': did you mean 'hybrid'"):
        unlearn(fitted, rows(), [0], method="hybird")
    with pytest.raises(RecipeError, match="unknown setting 'epoch'"):
        unlearn(fitted, rows(), [0], epoch=1)
    with pytest.raises(RecipeError, match="most_lost"):
        unlearn(fitted, rows(), [0], most_lost=2.0)
    for most_lost in ("a", True, float("nan")):
        with pytest.raises(RecipeError, match="expected a number from 0 to 1"):
            unlearn(fitted, rows(), [0], most_lost=most_lost)
    frozen = copy.deepcopy(fitted).requires_grad_(False)
    for method in ("newton_step", "small_gradients", "hybrid"):
        with pytest.raises(NoGradientError, match="every parameter of the model is frozen"):
            unlearn(frozen, rows(), [0], method=method, **QUIET)
    with pytest.raises(DataError, match="every label"):
        unlearn(fitted, TensorData(rows().x[:6], torch.tensor([0, 0, 0, 0, 1, 1])), label=1)
