from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, NoGradientError, RecipeError, UnsupportedModelError
from corrigible.explanations import explain
from corrigible.explanations.attribution.input_gradient import input_gradient
from corrigible.explanations.explaining import attribution_of
from corrigible.explanations.layers import layer_attribution
from corrigible.methods import name_of
from corrigible.models import normal_like


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))


X = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))


def test_the_default_target_is_the_predicted_class(model):
    predicted = model(X).argmax(1)
    assert len(predicted.unique()) > 1
    for target in (predicted, predicted.tolist(), predicted.numpy(), predicted.int()):
        assert torch.equal(explain(model, X), explain(model, X, target))


def test_one_target_may_stand_for_all_rows(model):
    for target in (2, torch.tensor(2), np.int64(2)):
        assert torch.equal(explain(model, X, target), explain(model, X, [2] * 5))


def test_the_default_method_is_integrated_gradients(model):
    assert torch.equal(explain(model, X), explain(model, X, method="integrated_gradients", steps=50))


@pytest.mark.parametrize("rows", [X.numpy(), X.numpy().astype(np.float64), X.double(), X.numpy()[::-1].copy()[::-1]])
def test_arrays_and_other_precisions_are_taken_and_the_result_has_the_precision_of_x(model, rows):
    found = explain(model, rows)
    torch.testing.assert_close(found.float(), explain(model, X))
    assert found.dtype == torch.as_tensor(rows.copy() if isinstance(rows, np.ndarray) else rows).dtype


def test_whole_numbers_become_floats(model):
    assert torch.equal(explain(model, torch.ones(2, 4, dtype=torch.long)), explain(model, torch.ones(2, 4)))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (3, "target of row 0 is 3; expected 0 to 2"),
        ([0, 1, 2, -1, 0], "target of row 3 is -1"),
        ([0, 1], r"target has shape \(2,\); expected \(5,\)"),
        (torch.zeros(5), "target holds torch.float32 values"),
    ],
)
def test_targets_that_do_not_fit_are_refused(model, target, message):
    with pytest.raises(DataError, match=message):
        explain(model, X, target)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X[0], r"x has shape \(4,\); expected \(batch, …\)"),
        (X[:0], r"x has shape \(0, 4\), which holds nothing"),
        (X[:, :3], r"x has shape \(5, 3\), which the model cannot take \(mat1"),
        (np.array([["a", "b"]]), "x holds <U1 values"),
        (torch.where(torch.arange(5)[:, None] == 3, torch.nan, X), r"row 3 of x is NaN or infinite \(1 such rows\)"),
        (torch.where(torch.arange(5)[:, None] >= 2, torch.inf, X), r"row 2 of x is NaN or infinite \(3 such rows\)"),
    ],
)
def test_rows_that_do_not_fit_are_refused(model, x, message):
    with pytest.raises(DataError, match=message):
        explain(model, x)


def test_a_fault_of_the_model_that_is_not_about_shapes_is_not_hidden():
    class Faulty(nn.Module):
        def forward(self, x):
            raise RuntimeError("licence expired")

    with pytest.raises(RuntimeError, match="^licence expired$"):
        explain(Faulty(), X)


def test_a_model_that_loses_rows_is_refused():
    with pytest.raises(DataError, match="for its first row the model gave 2 rows of outputs"):
        explain(Halves(), X)


class Halves(nn.Module):
    def forward(self, x):
        return x.reshape(-1, 2)


def test_output_with_places_is_refused_if_none_are_named():
    with pytest.raises(UnsupportedModelError, match=r"with places; name those to explain: explain\(…, at=mask\)"):
        explain(nn.Unflatten(1, (2, 2)), X)


def test_a_model_that_works_in_place_does_not_change_the_rows(model):
    rows = X.clone()
    explain(nn.Sequential(nn.ReLU(inplace=True), model), rows, method="occlusion")
    assert torch.equal(rows, X)


def test_an_unknown_method_and_a_senseless_number_of_rows_are_refused(model):
    with pytest.raises(RecipeError, match="unknown explainer 'gradcam': did you mean 'grad_cam'"):
        explain(model, X, method="gradcam")
    with pytest.raises(RecipeError, match="rows_at_once is 0"):
        explain(model, X, rows_at_once=0)


def test_a_users_own_explainer_needs_no_registration(model, tmp_path, monkeypatch):
    (tmp_path / "own_explainers.py").write_text(
        "def constant(model, x, target, *, value=1.0):\n    return x * 0 + value\n"
        "def short(model, x, target):\n    return x[:, :1]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert torch.equal(explain(model, X, method="own_explainers:constant", value=2.0), torch.full((5, 4), 2.0))
    with pytest.raises(NoGradientError, match="reaches none"):
        explain(model, X, method="own_explainers:constant", differentiable=True)
    with pytest.raises(RecipeError, match=r"gave shape \(5, 1\); expected that of its rows, \(5, 4\)"):
        explain(model, X, method="own_explainers:short")


class Noisy(nn.Module):
    """A network whose noise comes from the pass, or from PyTorch's global generator."""

    def __init__(self, noise):
        super().__init__()
        self.first, self.last, self.noise = nn.Linear(4, 5), nn.Linear(5, 2), noise

    def forward(self, x):
        h = self.first(x)
        return self.last(h * self.noise(h))


@pytest.mark.parametrize("method", ["input_gradient", "integrated_gradients", "kernel_shap", "occlusion"])
def test_noise_of_a_pass_belongs_to_rows_whatever_their_order(method):
    model, before = Noisy(partial(normal_like, name="noise")), torch.get_rng_state()
    first = explain(model, X, 0, method=method, seed=1)
    torch.testing.assert_close(explain(model, X.flip(0), 0, method=method, seed=1).flip(0), first)
    assert not torch.allclose(explain(model, X, 0, method=method, seed=2), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_other_noise_is_refused():
    with pytest.raises(UnsupportedModelError, match=r"the model is random.*dropout.*normal_like"):
        explain(Noisy(torch.randn_like), X, 0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_model_runs_where_it_is_and_the_result_comes_back(model):
    expected = explain(model, X)
    torch.testing.assert_close(explain(model.to("cuda"), X), expected, rtol=1e-4, atol=1e-5)


def test_a_model_that_mixes_rows_or_takes_two_inputs_is_refused():
    mixing = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, track_running_stats=False))
    with pytest.raises(UnsupportedModelError, match="normalises over the batch"):
        explain(mixing, X)
    with pytest.raises(UnsupportedModelError, match=r"one tensor.*takes x alone"):
        explain(nn.Bilinear(4, 4, 2), X)


def test_a_target_made_in_inference_mode_can_be_explained():
    model, x = nn.Linear(3, 2), torch.randn(4, 3)
    with torch.inference_mode():
        target = model(x).argmax(dim=1)
    assert explain(model, x, target, method="input_gradient").shape == x.shape


def test_a_result_that_is_not_finite_names_its_row():
    with pytest.raises(
        DataError, match=r"attribution of row 2 by 'feature_ablation' is NaN or infinite \(1 such rows\)"
    ):
        explain(lambda x: torch.log(x), torch.tensor([[1.0], [2.0], [-1.0]]), method="feature_ablation", baseline=1.0)


def test_the_wider_precision_of_rows_and_model_is_kept():
    model = nn.Linear(2, 2)
    nn.init.constant_(model.weight, 1e5)
    assert explain(model, torch.ones(1, 2).half(), 0, method="input_gradient").tolist() == [[1e5, 1e5]]
    assert explain(model, torch.ones(1, 2).double(), 0, method="input_gradient").dtype == torch.float64


def test_a_class_is_not_explained_against_itself(model):
    with pytest.raises(DataError, match=r"both 2 in row 0 \(5 such rows of 5\)"):
        explain(model, X, 2, against=2)
    with pytest.raises(DataError, match=r"both 2 in row 1 \(2 such rows of 5\)"):
        explain(model, X, [0, 2, 1, 2, 1], against=2)
    with pytest.raises(DataError, match=r"both 1 in row 2 \(1 such rows of 5\)"):
        layer_attribution(model, X, torch.tensor([[0, 1], [2, 0], [1, 1], [0, 1], [2, 1]]), layer="0")


def test_data_with_labels_is_no_rows(model):
    with pytest.raises(DataError, match=r"x is a TensorData.*pass data\.x"):
        explain(model, TensorData(X, torch.arange(5) % 3), 0)
    with pytest.raises(DataError, match=r"pass the rows alone"):
        explain(model, (X.numpy(), [0, 1, 2, 0, 1]), 0)


NETWORK = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
ROWS = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
TARGET = torch.tensor([0, 1, 1, 0, 1])


def test_a_name_and_a_function_give_the_same_without_a_graph():
    expected = explain(NETWORK, ROWS, TARGET, method="input_gradient", score="margin")
    for method in ("input_gradient", input_gradient):
        found = attribution_of(method, NETWORK, ROWS, TARGET, score="margin")
        assert torch.equal(found, expected)
        assert not found.requires_grad


def test_names_are_readable_also_of_partial_functions_and_objects():
    assert name_of("lime") == "lime"
    assert name_of(partial(input_gradient, score="margin")) == "input_gradient"
    assert name_of(nn.Identity()) == "Identity"


def test_a_seed_reaches_a_function_that_takes_one():
    def seeded(model, x, target, *, seed=0):
        return torch.full_like(x, seed)

    assert attribution_of(seeded, NETWORK, ROWS, TARGET, seed=7).unique().tolist() == [7]
    assert attribution_of(lambda model, x, target: x, NETWORK, ROWS, TARGET, seed=7).equal(ROWS)


def test_a_function_that_gives_another_shape_or_has_no_such_setting_is_refused():
    with pytest.raises(RecipeError, match=r"gave shape \(5,\); expected that of its rows, \(5, 3\)"):
        attribution_of(lambda model, x, target: x.sum(1), NETWORK, ROWS, TARGET)
    with pytest.raises(RecipeError, match="unknown setting 'steps'"):
        attribution_of(input_gradient, NETWORK, ROWS, TARGET, steps=3)


@pytest.mark.parametrize("rows_at_once", [None, 2])
def test_a_function_is_taken_as_its_name_is(rows_at_once):
    model, x = nn.Linear(3, 2), torch.rand(5, 3)
    by_name = explain(model, x, 0, method="input_gradient", rows_at_once=rows_at_once)
    assert torch.equal(explain(model, x, 0, method=input_gradient, rows_at_once=rows_at_once), by_name)


def test_numbers_beyond_the_precision_of_the_model_are_refused():
    x = torch.tensor([[1e300, 1.0]], dtype=torch.float64)
    with pytest.raises(DataError, match=r"numbers of size 1e\+300, which the model's torch.float32 cannot hold"):
        explain(nn.Linear(2, 2), x, 0, method="input_gradient")
    assert explain(nn.Linear(2, 2).double(), x, 0, method="input_gradient").isfinite().all()
