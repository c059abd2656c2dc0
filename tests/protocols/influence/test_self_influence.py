"""What a row teaches of itself, and which row speaks against a label."""

import inspect

import numpy as np
import pytest
import torch
from torch import nn

from corrigible import TensorData
from corrigible.errors import DataError, RecipeError, TrainingDivergedError
from corrigible.protocols.influence.contrasting_example import contrasting_example
from corrigible.protocols.influence.influence import influence
from corrigible.protocols.influence.self_influence import self_influence
from corrigible.protocols.schedule import Schedule
from fitted import DECAY, fit_to, rows

X, Y = rows(40)
Y = Y.clone()
FLIPPED = (X[:, 0] - X[:, 1]).abs().topk(3).indices.tolist()  # Where the right label is clear.
Y[FLIPPED] = 1 - Y[FLIPPED]
SCHEDULE = Schedule(weight_decay=DECAY)
SILENT = Schedule(loss=lambda forward, batch: forward.outputs.sum(dim=1))  # Linear: it has no curvature.


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return fit_to(nn.Linear(3, 2).double(), X, Y, torch.ones(40).double())


@pytest.mark.parametrize("method", ["exact", "conjugate_gradients", "ek_fac"])
def test_it_is_the_influence_of_a_row_on_itself(model, method):
    asked = {"method": method, "curvature": "gauss_newton", "schedule": SCHEDULE}
    found = self_influence(model, TensorData(X, Y), **asked)
    assert torch.allclose(found, influence(model, TensorData(X, Y), (X, Y), **asked).values.diagonal(), rtol=1e-4)
    assert bool((found >= 0).all())


def test_wrong_labels_stand_near_the_top(model):
    order = self_influence(model, TensorData(X, Y), schedule=SCHEDULE).argsort(descending=True).tolist()
    assert max(order.index(row) for row in FLIPPED) < 8


def test_methods_without_a_curvature_are_refused(model):
    with pytest.raises(RecipeError, match="unknown method 'replay'"):
        self_influence(model, TensorData(X, Y), method="replay")


def test_the_contrasting_example_is_the_most_harmful_row_of_the_predicted_class(model):
    predicted = model(X).argmax(dim=1)
    row = next(row for row in FLIPPED if predicted[row] != Y[row])
    found = contrasting_example(model, (X, Y), row, schedule=SCHEDULE)
    asked = {"curvature": "gauss_newton", "schedule": SCHEDULE}
    values = influence(model, (X, Y), (X[[row]], Y[[row]]), **asked).values[0]
    of_class = (predicted[row] == Y).nonzero().flatten()
    assert found.row == int(of_class[values[of_class].argmin()]) and found.label == int(predicted[row]) != Y[row]
    assert found.value == pytest.approx(-float(values[found.row])) and found.value > 0
    assert f"speaks most against class {int(Y[row])} of row {row}" in str(found)


def test_a_label_that_the_model_predicts_has_none(model):
    right = int((model(X).argmax(dim=1) == Y).nonzero()[0])
    assert contrasting_example(model, (X, Y), right) is None


def test_what_has_no_example_is_refused(model):
    with pytest.raises(RecipeError, match="row is 40"):
        contrasting_example(model, (X, Y), 40)
    third = nn.Linear(3, 3).double()
    with torch.no_grad():
        third.bias[2] = 100.0
    with pytest.raises(DataError, match="no other row has class 2"):
        contrasting_example(third, (X, Y), 0)
    with pytest.raises(DataError, match="one class per row"):
        contrasting_example(nn.Linear(3, 1).double(), TensorData(X, X[:, 0], task="amounts"), 0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"damping": -1}, "damping is -1"), ({"damping": torch.inf}, "damping is inf"), ({"method": ["x"]}, "method")],
)
def test_what_it_cannot_be_computed_with_is_refused(model, settings, said):
    with pytest.raises(RecipeError, match=said):
        inspect.unwrap(self_influence)(model, TensorData(X, Y), **settings)


def test_a_number_of_numpy_is_a_damping(model):
    found, expected = (
        inspect.unwrap(self_influence)(model, TensorData(X, Y), damping=d) for d in (np.float32(0.5), 0.5)
    )
    assert torch.equal(found, expected)


def test_without_a_curvature_there_is_no_value():
    with pytest.raises(TrainingDivergedError, match="self-influence of row 0 is .* damping above 0"):
        self_influence(nn.Linear(3, 2).double(), TensorData(X, Y), damping=0.0, method="ek_fac", schedule=SILENT)
