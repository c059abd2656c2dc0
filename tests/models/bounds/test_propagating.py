"""Bounds hold what a model gives anywhere in the box, are exact for one layer, and teach the parameters."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from corrigible.errors import UnsupportedModelError
from corrigible.models.bounds import logit_bounds


class Calls(nn.Module):
    """A function in the place of a network."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def require_held(model, x, radius, num_points=100):
    low, high = logit_bounds(model, x - radius, x + radius)
    generator = torch.Generator().manual_seed(0)
    for number in range(num_points):
        move = 2 * torch.rand(x.shape, generator=generator, dtype=x.dtype) - 1
        found = model(x + radius * (move.sign() if number % 2 else move))
        assert bool((found >= low - 1e-9).all())
        assert bool((found <= high + 1e-9).all())
    return low, high


@pytest.mark.parametrize("radius", [0.0, 0.05, 1.0])
def test_bounds_hold_every_network(case, radius):
    with torch.no_grad():
        low, high = require_held(case.model, case.batch.x, radius)
        if radius == 0:
            assert torch.equal(low, high)
            assert torch.equal(low, case.model(case.batch.x))


def test_bounds_of_a_linear_network_are_its_values_at_two_corners():
    model = nn.Linear(3, 2).double()
    x, radius = torch.randn(4, 3).double(), torch.rand(4, 3).double()
    low, high = logit_bounds(model, x - radius, x + radius)
    for place in range(2):
        towards = radius * model.weight[place].sign()
        torch.testing.assert_close(high[:, place], model(x + towards)[:, place])
        torch.testing.assert_close(low[:, place], model(x - towards)[:, place])


def residual_in_place(x):
    hidden = 2 * x
    hidden += torch.ones(4)
    return functional.relu(hidden - 1, inplace=True) + 0.5 * x


FUNCTIONS = {
    "residual_in_place": residual_in_place,
    "matmul": lambda x: x @ torch.linspace(-1, 1, 8).double().reshape(4, 2),
    "masked": lambda x: torch.where(torch.tensor([True, False] * 2), x, -x).masked_fill(torch.eye(4)[0].bool(), 3.0),
    "pieces": lambda x: torch.stack(x.chunk(2, dim=1)).sum(0) * torch.tensor([-1.0, 2.0]),
    "padded": lambda x: functional.pad(x[:, None, None], (1, 1, 1, 1), value=7.0).flatten(1).view(len(x), -1),
    "facts": lambda x: x.reshape(x.size(0), x.shape[1]) / x.dim(),
}
for name in ("silu", "gelu", "mish", "hardswish", "sigmoid", "tanh", "softplus", "elu", "leaky_relu", "hardtanh"):
    FUNCTIONS[name] = getattr(functional, name)
for name in ("abs", "square", "exp"):
    FUNCTIONS[name] = getattr(torch, name)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("radius", [0.3, 2.0])
def test_bounds_hold_every_function(name, radius):
    x = 2 * torch.randn(6, 4, generator=torch.Generator().manual_seed(1)).double()
    require_held(Calls(FUNCTIONS[name]), x, radius)


@pytest.mark.parametrize("name", ["silu", "gelu", "mish", "hardswish"])
def test_bounds_of_a_function_with_a_valley_are_its_least_and_largest_values(name):
    function = getattr(functional, name)
    low, high = torch.tensor([[-4.0, -3.0, 0.5], [-1.0, -8.0, -2.0]]).double(), torch.tensor([2.0, -2.0, 0.7]).double()
    along = torch.linspace(0, 1, 20001).double()[:, None, None]
    values = function(low + along * (high.expand(2, 3) - low))
    least, most = logit_bounds(Calls(function), low, high.expand(2, 3))
    torch.testing.assert_close(least, values.amin(0), atol=1e-6, rtol=0)
    torch.testing.assert_close(most, values.amax(0), atol=1e-6, rtol=0)


def test_the_width_of_the_bounds_teaches_every_weight(smooth_case):
    model, x = smooth_case.model, smooth_case.batch.x

    def width(*_):
        low, high = logit_bounds(model, x - 0.1, x + 0.2)
        return (high - low).sum(), (high * low).sum()

    assert torch.autograd.gradcheck(width, tuple(model.parameters()))
    gradients = torch.autograd.grad(width()[0], [p for p in model.parameters() if p.ndim > 1])
    assert all(bool(gradient.abs().max() > 0) for gradient in gradients)


def unseen(x):
    with torch._C.DisableTorchFunction():
        return 2 * x


def overwritten_view(x):
    hidden = 2 * x
    view = hidden.view(-1)
    view.relu_()
    return hidden + 1


REFUSED = {
    "softmax": lambda x: x.softmax(1),
    "mul": lambda x: x * x,
    "layer_norm": nn.LayerNorm(4).double(),
    "seen into": lambda x: x + unseen(x),
    "the model's output": unseen,
    "overwritten": overwritten_view,
    "index_copy": lambda x: torch.zeros(6, 4).double().index_copy(0, torch.arange(6), x),
    "item": lambda x: x * x.sum().item(),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_rule_covers_is_refused(name):
    with pytest.raises(UnsupportedModelError, match=name):
        logit_bounds(Calls(REFUSED[name]), torch.zeros(6, 4).double(), torch.ones(6, 4).double())


def test_a_model_is_left_as_it_was_and_dropout_rests(resnet_case):
    model = nn.Sequential(resnet_case.model, nn.Dropout(0.5)).train()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    x = resnet_case.batch.x
    low, high = logit_bounds(model, x, x)
    assert torch.equal(low, high)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())


def test_what_does_not_depend_on_the_input_has_no_width():
    x = torch.randn(6, 4).double()
    joined = Calls(lambda x: torch.cat([-x, torch.ones(6, 4), 1 - x], dim=1) / -2.0)
    low, high = logit_bounds(joined, x - 1, x + 1)
    assert bool((high[:, 4:8] == low[:, 4:8]).all())
    torch.testing.assert_close(high[:, :4], (x + 1) / 2)
    torch.testing.assert_close(low[:, 8:], (x - 2) / 2)
