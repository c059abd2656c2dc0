"""Model inversion: within the range, shares of categories, and nearer to the class only as far as the model tells."""

import copy

import pytest
import torch
from torch import nn

from corrigible import Columns, TensorData
from corrigible.errors import CorrigibleError, DataError, RecipeError, UnsupportedModelError
from corrigible.protocols.privacy.typical_row import on_simplex, typical_row

GENERATOR = torch.Generator().manual_seed(0)
COLUMNS = Columns(("a", "b", "c=0", "c=1", "c=2"), ("a", "b", "c", "c", "c"), (False, False, True, True, True))
PLACE = torch.randint(3, (200,), generator=GENERATOR)
X = torch.cat([torch.randn(200, 2, generator=GENERATOR) * 3 + 1, nn.functional.one_hot(PLACE, 3).float()], dim=1)
Y = (X[:, 0] > 1).long()
DATA = TensorData(X, Y, columns=COLUMNS, class_names=("low", "high"))


def linear(*weights: float) -> nn.Module:
    model = nn.Linear(5, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0] * 5, weights]))
        model.bias.zero_()
    return model


def test_the_projection_is_the_nearest_point_with_shares():
    for values in ([0.2, 0.3, 0.5], [2.0, 0.0, -1.0], [0.6, 0.6, 0.0], [0.0, 0.0]):
        given = torch.tensor(values, dtype=torch.float64)
        found = on_simplex(given)
        assert float(found.sum()) == pytest.approx(1) and bool((found >= 0).all())
        drawn = torch.rand(500, len(values), generator=GENERATOR, dtype=torch.float64)
        others = drawn / drawn.sum(dim=1, keepdim=True)
        assert (found - given).norm() <= (others - given).norm(dim=1).min() + 1e-9


def test_the_row_is_likelier_and_feasible():
    found = typical_row(linear(1, 0, 0, 0, 2), "high", DATA, steps=60)
    low, high = X.amin(dim=0), X.amax(dim=0)
    assert bool((found.x >= low - 1e-5).all() and (found.x <= high + 1e-5).all())
    assert float(found.x[0, 2:].sum()) == pytest.approx(1, abs=1e-5)
    moved = found.x[0] - X.mean(dim=0)
    assert moved[4] > 0.01 and moved[2] < 0 and moved[3] < 0
    assert moved[1] == pytest.approx(0, abs=1e-5)  # Where the model has no slope it stays.
    assert found.probability > 0.9 and found.label == "high"


def test_distances_by_their_definition():
    found = typical_row(linear(1, 0, 0, 0, 0), 1, DATA, enough=0.9)
    spread, mean, truth = X.double().std(0), X.double().mean(0), X[Y == 1].double().mean(0)
    assert found.distance == pytest.approx(float((((found.x[0] - truth) / spread) ** 2).mean().sqrt()))
    assert found.distance_without == pytest.approx(float((((mean - truth) / spread) ** 2).mean().sqrt()))
    moves = [(to - mean) / spread for to in (found.x[0].double(), truth)]
    assert found.direction == pytest.approx(float(torch.cosine_similarity(*moves, dim=0)))
    assert found.gain == pytest.approx(1 - found.distance / found.distance_without)
    assert found.num_rows == int((Y == 1).sum())


def test_a_model_that_knows_the_class_brings_the_attacker_nearer():
    told, blind = (typical_row(linear(weight, 0, 0, 0, 0), 1, DATA, enough=0.8) for weight in (1.0, -1.0))
    assert told.direction > 0.5 > blind.direction
    assert told.distance < blind.distance


def test_it_ends_where_the_class_is_likely_enough():
    steps = [typical_row(linear(1, 0, 0, 0, 0), 1, DATA, enough=enough).num_steps for enough in (0.5, 0.8, 0.95, 1.0)]
    assert steps == sorted(steps) and steps[0] < steps[-1] == 200


def test_without_a_slope_it_stays_where_it_begins():
    class Stepped(nn.Module):
        def forward(self, x):
            return (linear(1, 0, 0, 0, 0)(x) * 0).round() + torch.tensor([0.0, 0.1])

    found = typical_row(Stepped(), 1, DATA)
    assert found.num_steps == 0 and "no slope" in str(found)
    assert found.direction is None and found.distance == pytest.approx(found.distance_without, rel=1e-3)
    with pytest.raises(UnsupportedModelError, match="without a gradient"):
        typical_row(lambda x: linear(1, 0, 0, 0, 0)(x).detach(), 1, DATA)


def test_the_model_and_the_random_state_stay():
    model = nn.Sequential(nn.BatchNorm1d(5), nn.Dropout(), nn.Linear(5, 2)).train().requires_grad_(False)
    state, before = torch.get_rng_state(), copy.deepcopy(model.state_dict())
    typical_row(model, 0, DATA, steps=5)
    assert model.training and torch.equal(state, torch.get_rng_state())
    assert all(not parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_what_is_measured_and_shown():
    found = typical_row(linear(1, 0, 0, 0, 0), 1, DATA)
    names = [one.metric for one in found.measurements()]
    assert names == ["typical_row_distance", "typical_row_distance_without", "typical_row_direction"]
    assert {one.part for one in found.measurements()} == {"class high"}
    assert "mean of the class" in str(found) and repr(found) == str(found) and "<table" in found._repr_html_()


def test_what_is_refused():
    model = linear(1, 0, 0, 0, 0)
    with pytest.raises(RecipeError, match="no classes"):
        typical_row(nn.Linear(5, 1), 0, TensorData(X, X[:, 0], task="amounts"))
    with pytest.raises(CorrigibleError, match="unknown class 'hihg'.*'high'"):
        typical_row(model, "hihg", DATA)
    with pytest.raises(DataError, match="0 of 200 rows are of class 1"):
        typical_row(model, 1, TensorData(X, torch.zeros(200, dtype=torch.long), class_names=("low", "high")))
    for how, words in (({"steps": 0}, "steps is 0"), ({"enough": 0.0}, "enough is 0.0")):
        with pytest.raises(RecipeError, match=words):
            typical_row(model, 1, DATA, **how)
