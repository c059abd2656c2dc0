"""Layers and networks whose outputs keep the direction of some inputs."""

import pytest
import torch
from torch.nn.functional import hardtanh, linear

from corrigible.errors import RecipeError
from corrigible.explanations import explain
from corrigible.models import tabm
from corrigible.models.building import built
from corrigible.models.monotone import MonotoneHeads, RisingLinear, directions_of, has_directions, magnitude, mixed

KNOTS = [[-1.0, 0.0, 2.0], [0.0, 1.0], [-1.0, 1.0]]
FACTS = {
    "one_hot": [False, True, True, False, False],
    "features": ["age", "sex", "sex", "priors", "priors=missing"],
    "knots": KNOTS,
}


def network(cst, *, directions=(-1, 1), hidden=(7, 5), facts=FACTS):
    """A network with weights of any sign and size, as training might leave them."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        outputs = {"num_classes": len(directions), "output_directions": list(directions)}
        settings = {"members": 3, "hidden": hidden, "embedding": 4, "dropout": 0.1, "monotonic_cst": cst}
        model = tabm(**facts, **outputs, **settings).double().eval()
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=1.0)
    return model


def rows(count, width=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(count, width, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("hidden", [(), (1,), (7, 5)])
def test_outputs_keep_each_direction_far_beyond_the_knots_too(hidden):
    model = network({"age": 1, "priors": -1}, directions=(-1, 1, 0), hidden=hidden)
    low = rows(500)
    for column, direction in ((0, 1), (3, -1)):
        high = low.clone()
        high[:, column] += 10 * rows(500, 1, seed=column)[:, 0].abs().pow(3)
        change = direction * (model(high) - model(low))
        assert (change[:, 0] <= 1e-9).all() and (change[:, 1] >= -1e-9).all()
        assert (change[:, 1] > 0.01).double().mean() > 0.5
        assert (change[:, 2] == 0).all()  # An output without a direction sees no such column.
    free = low.clone()
    free[:, 4] += 1
    assert hidden == () or {-1, 1} <= set((model(free) - model(low)).sign().flatten().tolist())


def test_a_network_of_directions_alone_has_no_free_layers():
    facts = {"one_hot": [False, False], "features": ["a", "b"], "knots": KNOTS[:2]}
    model = network({"a": 1, "b": 1}, directions=(1,), facts=facts)
    low = rows(200, 2)
    assert (model(low + rows(200, 2, seed=1).abs()) >= model(low)).all()


def test_rising_layers_by_their_definition():
    layer, x = RisingLinear(3, 6, 2).double(), rows(4, 3)
    for weight in layer.parameters():
        torch.nn.init.normal_(weight)
    for place, found in enumerate(layer(x[:, None]).unbind(1)):
        scale, out = layer.input_scale[place].abs(), layer.output_scale[place].abs()
        torch.testing.assert_close(found, linear(x * scale, layer.weight.abs()) * out + layer.bias[place])
    z = rows(5, 7)
    expected = [z[:, :3].clamp_min(0), z[:, 3:6].clamp_max(0), hardtanh(z[:, 6:])]
    torch.testing.assert_close(mixed(z), torch.cat(expected, dim=1))
    heads = MonotoneHeads((2, 0), [1, -1], 1).double()
    found = heads(x[:, None, :2])[:, 0] - heads.rising.bias
    torch.testing.assert_close(found, x[:, :2] @ (heads.rising.weight[0].abs() * torch.tensor([1.0, -1.0])))


def test_magnitudes_have_gradients_of_the_weights_sign():
    weight = torch.tensor([-2.0, 3.0], requires_grad=True)
    magnitude(weight).sum().backward()
    assert magnitude(weight).tolist() == [2.0, 3.0] and weight.grad.tolist() == [-1.0, 1.0]


def test_gradients_and_their_gradients_agree_with_differences():
    model = network({"age": 1, "priors": -1})
    x = (rows(2) + 0.013).requires_grad_()
    assert torch.autograd.gradcheck(model, x)
    weight = model.body.layers[0].rising.weight

    def penalty(weight):
        found = torch.func.functional_call(model, {"body.layers.0.rising.weight": weight}, (x,))
        return torch.autograd.grad(found[:, 1].sum(), x, create_graph=True)[0].square().sum()

    assert torch.autograd.gradcheck(penalty, weight.detach().clone().requires_grad_())


def test_deep_lift_is_complete():
    model, x = network({"age": 1, "priors": -1}), rows(4)
    found = explain(model, x, torch.tensor([1, 0, 1, 0]), method="deep_lift")
    target = torch.tensor([[1], [0], [1], [0]])
    change = (model(x) - model(torch.zeros_like(x[:1]))).gather(1, target)[:, 0]
    torch.testing.assert_close(found.sum(1), change.detach())


def test_only_columns_with_a_direction_change_the_network():
    plain = network({"age": 0})
    assert not has_directions(plain) and has_directions(network({"age": 1}))
    assert {name for name, _ in plain.named_parameters()} == {name for name, _ in network(None).named_parameters()}


@pytest.mark.parametrize(
    ("cst", "outputs", "told"),
    [
        ({"weight": 1}, (-1, 1), "names 'weight'; there are 'age', 'sex', 'priors', 'priors=missing'"),
        ({"sex": 1}, (-1, 1), "names 'sex', a column of categories; expected a column of numbers"),
        ({"age": 2}, (-1, 1), "of 'age' is 2; expected 1, -1 or 0"),
        ({"age": 1}, (), "is for two classes, ordered classes or numbers; these classes have no order"),
    ],
)
def test_what_cannot_be_kept_is_refused(cst, outputs, told):
    with pytest.raises(ValueError, match=told):
        directions_of(cst, FACTS["features"], FACTS["one_hot"], outputs)
    with pytest.raises(RecipeError, match=told):
        built("tabm", {"monotonic_cst": cst}, {**FACTS, "num_classes": 2, "output_directions": outputs}, 0)
