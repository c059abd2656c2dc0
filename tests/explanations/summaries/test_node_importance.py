"""Units and what drives them, against the definition written slowly."""

import math

import pytest
import torch
from torch import nn

from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.explanations.summaries import node_importance
from corrigible.models import lenet, table_mlp
from corrigible.types import Columns

X = torch.randn(12, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
X[:, 2:] = torch.nn.functional.one_hot(torch.arange(12) % 2, 2)
TARGET = torch.arange(12) % 3
COLUMNS = Columns(("age", "dose", "site=a", "site=b"), ("age", "dose", "site", "site"), (False, False, True, True))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).double()


@pytest.fixture(scope="module")
def found(model):
    return node_importance(model, X, TARGET, layers=["1", "3"], columns=COLUMNS, most=5)


def hidden(model, x):
    first = torch.tanh(x @ model[0].weight.T + model[0].bias)
    return first, torch.tanh(first @ model[2].weight.T + model[2].bias)


def gradients(model):
    """Of each row's logit with respect to the units of the last and of the first hidden layer, by the chain rule."""
    first, second = hidden(model, X)
    of_second = model[4].weight[TARGET]
    of_first = (of_second * (1 - second**2)) @ model[2].weight
    return first.detach(), second.detach(), of_first.detach(), of_second.detach()


def test_units_are_ranked_by_the_mean_size_of_activation_times_gradient(model, found):
    first, second, of_first, of_second = gradients(model)
    for layer, product in (("1", first * of_first), ("3", second * of_second)):
        assert [unit.size for unit in found.units[layer]] == sorted((u.size for u in found.units[layer]), reverse=True)
        for unit in found.units[layer]:
            own = [float(row[unit.number]) for row in product]
            assert unit.size == pytest.approx(sum(map(abs, own)) / len(own))
            assert unit.mean == pytest.approx(sum(own) / len(own))
        assert sum(unit.share for unit in found.units[layer]) == pytest.approx(1)
    assert len(found.important("1")) == 5 and len(found.units["3"]) == 4


def test_the_sum_of_units_is_the_fall_of_the_score_where_the_rest_is_linear(model, found):
    first, _, of_first, _ = gradients(model)
    assert found.gap["3"] == pytest.approx(0, abs=1e-12)

    def score(units):
        return (torch.tanh(units @ model[2].weight.T + model[2].bias) @ model[4].weight.T)[range(12), TARGET]

    fall = (score(first) - score(torch.zeros_like(first))).detach()
    gap = ((first * of_first).sum(dim=1) - fall).abs().mean() / fall.abs().mean()
    assert found.gap["1"] == pytest.approx(float(gap))
    assert found.gap["1"] > 0.01


def test_a_unit_contributes_by_way_of_a_later_one_through_its_weight(model, found):
    first, second, _, of_second = gradients(model)
    between = [link for link in found.links if not isinstance(link.source, str)]
    assert len(between) == 5 * 4
    for link in between:
        i, j = link.source.number, link.unit.number
        own = first[:, i] * model[2].weight[j, i].item() * (1 - second[:, j] ** 2) * of_second[:, j]
        assert link.size == pytest.approx(float(own.abs().mean()))
        assert link.mean == pytest.approx(float(own.mean()))


def test_drivers_are_integrated_gradients_of_the_unit_times_the_gradient_of_the_score(model, found):
    _, _, of_first, of_second = gradients(model)
    baseline, steps = torch.tensor([0, 0, 0.5, 0.5], dtype=torch.float64), 500
    for layer, activation, gradient in (("1", 0, of_first), ("3", 1, of_second)):
        unit = found.important(layer)[0]
        total = torch.zeros(12, 4, dtype=torch.float64)
        for step in range(steps):
            at = (baseline + (step + 0.5) / steps * (X - baseline)).requires_grad_()
            hidden(model, at)[activation][:, unit.number].sum().backward()
            total += at.grad * (X - baseline) / steps
        own = {"age": total[:, 0], "dose": total[:, 1], "site": total[:, 2] + total[:, 3]}
        drivers = found.drivers[layer, unit.number]
        assert [link.size for link in drivers] == sorted((link.size for link in drivers), reverse=True)
        assert {link.source for link in drivers} == set(own)
        for link in drivers:
            expected = own[link.source] * gradient[:, unit.number]
            assert link.size == pytest.approx(float(expected.abs().mean()), rel=1e-4)
            assert link.mean == pytest.approx(float(expected.mean()), rel=1e-3, abs=1e-6)


def test_features_lead_to_the_units_of_the_first_layer(found):
    first = [link for link in found.links if isinstance(link.source, str)]
    assert {link.unit for link in first} == set(found.important("1"))
    assert len(first) == 3 * 5


def test_layers_are_the_activation_functions_unless_named():
    torch.manual_seed(0)
    assert list(node_importance(table_mlp(3, 2), torch.randn(5, 3), 1).units) == ["1", "4"]
    with pytest.raises(UnsupportedModelError, match="no activation function of the model is a layer of its own"):
        node_importance(nn.Sequential(nn.Linear(3, 2)), torch.randn(5, 3), 1)


def test_channels_are_units_whose_positions_are_added_up():
    torch.manual_seed(0)
    net, images = lenet().eval(), torch.randn(3, 1, 28, 28)
    found = node_importance(net, images, 1, most=2, rows_at_once=2)
    assert all(not links for links in found.drivers.values())
    assert all(math.isfinite(link.size) for link in found.links)
    layer = next(iter(found.units))
    place = int(layer)
    maps = net[: place + 1](images).detach().requires_grad_()
    net[place + 1 :](maps)[:, 1].sum().backward()
    product = (maps.detach() * maps.grad).sum(dim=(2, 3))
    for unit in found.units[layer]:
        assert unit.size == pytest.approx(float(product[:, unit.number].abs().mean()), rel=1e-4)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"most": 0}, RecipeError, "most is 0"),
        ({"layers": []}, UnsupportedModelError, "layers is empty"),
        ({"layers": ["9"]}, UnsupportedModelError, "no layer '9'"),
    ],
)
def test_what_cannot_be_ranked_is_refused(model, settings, error, message):
    with pytest.raises(error, match=message):
        node_importance(model, X, TARGET, **settings)
