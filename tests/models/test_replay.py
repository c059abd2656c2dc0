"""A pass that goes on from another activation: that of the network written out in two parts."""

import inspect

import pytest
import torch
from torch import Tensor, nn

from corrigible.errors import DataError, UnsupportedModelError
from corrigible.models.bayes import bayesian
from corrigible.models.draws import coarse_row_normal
from corrigible.models.forward import Forward
from corrigible.types import Batch


class Residual(nn.Module):
    """One way around the layer, too."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.before, self.middle, self.after = nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 3)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.rest(x, self.middle(self.before(x).tanh())))

    def rest(self, x: Tensor, middle: Tensor) -> Tensor:
        return (middle + self.before(x)).tanh()

    def in_two_parts(self, x: Tensor, middle: Tensor) -> Tensor:
        return self.after(self.rest(x, middle))


def rows(num: int = 6) -> Batch:
    x = torch.randn(num, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return Batch(torch.arange(num), x, torch.arange(num) % 3)


def halved(activation: Tensor) -> Tensor:
    return torch.where(activation > 0, activation, 0.5 * activation**2)


def test_it_is_the_network_in_two_parts_and_its_layers_give_what_they_see():
    model, batch = Residual(), rows()
    forward = Forward(model, batch)
    value = halved(forward.activation("middle"))
    found = forward.replay("middle", value)
    torch.testing.assert_close(found.outputs, model.in_two_parts(batch.x, value))
    assert torch.equal(found.activation("middle"), value)
    assert not torch.allclose(found.outputs, forward.outputs)
    torch.testing.assert_close(forward.replay("middle", forward.activation("middle")).outputs, forward.outputs)
    torch.testing.assert_close(model(batch.x), forward.outputs)  # No hook stays.


def test_gradients_reach_input_value_and_parameters_on_both_ways():
    model, batch = Residual(), rows()
    forward = Forward(model, batch)
    found = forward.replay("middle", halved(forward.activation("middle")))
    wanted = [forward.x, *model.parameters()]
    gradients = torch.autograd.grad(found.outputs.square().sum(), wanted, create_graph=True)
    x = batch.x.clone().requires_grad_()
    written = model.in_two_parts(x, halved(model.middle(model.before(x).tanh())))
    expected = torch.autograd.grad(written.square().sum(), [x, *model.parameters()], create_graph=True)
    torch.testing.assert_close(gradients, expected)
    again = torch.autograd.grad(gradients[0].square().sum(), model.before.weight)
    torch.testing.assert_close(again, torch.autograd.grad(expected[0].square().sum(), model.before.weight))


def test_gradients_are_those_of_finite_differences():
    model, batch = Residual(), rows(2)

    def outputs(*_: Tensor) -> Tensor:
        forward = Forward(model, batch)
        return forward.replay("middle", halved(forward.activation("middle"))).outputs

    assert torch.autograd.gradcheck(outputs, tuple(model.parameters()), fast_mode=True)


def test_convolutions_stay_twice_differentiable_and_draws_those_of_the_rows():
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(1, 2, 2), nn.Softplus(), nn.Conv2d(2, 2, 2), nn.Flatten(), nn.Linear(8, 3))
    model = bayesian(plain.double(), prior_std=1.0, start="prior").train()
    batch = Batch(torch.tensor([4, 9]), torch.randn(2, 1, 4, 4).double(), torch.tensor([0, 2]))
    forward = Forward(model, batch, seed=5)
    found = forward.replay("1", forward.activation("1") * 2)
    drawn = forward.activation("1") * 2
    for layer, shape in (("2", (2, 2, 2)), ("4", (3,))):
        mean, variance = model.get_submodule(layer).moments(drawn if layer == "2" else drawn.flatten(1))
        drawn = mean + variance.sqrt() * coarse_row_normal(batch.index, shape, seed=5, name=f"activations/{layer}")
    torch.testing.assert_close(found.outputs, drawn)
    penalty = found.gradient(found.outputs[:, 0].sum(), forward.x).square().sum()
    assert torch.autograd.grad(penalty, model[0].weight)[0].abs().sum() > 0


def test_what_cannot_be_replaced_is_refused():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.unused = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(self.layer(x))

    forward = Forward(Twice().double(), rows())
    value = torch.zeros(6, 4).double()
    for layer, said in (("nowhere", "no layer 'nowhere'"), ("layer", "more than once"), ("unused", "does not run")):
        with pytest.raises(UnsupportedModelError, match=said):
            _ = forward.replay(layer, value).outputs
    with pytest.raises(ValueError, match=r"shape \(6, 3\), .*, and the value is a tensor of shape \(6, 4\)"):
        _ = Forward(Residual(), rows()).replay("after", value).outputs
    assert not any(module._forward_hooks for module in forward.model.modules())


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (torch.zeros(6, 5), "torch.float32"),
        (torch.zeros(6, 5, dtype=torch.long), "torch.int64"),
        (torch.zeros(6, 5, dtype=torch.bool), "torch.bool"),
        (torch.zeros(6, 5, dtype=torch.float64, device="meta"), "on meta"),
        ([[0.0] * 5] * 6, "no tensor but a list"),
    ],
)
def test_a_value_of_another_kind_is_refused(value, said):
    with pytest.raises(DataError, match=f"layer 'middle' gives .* the value is .*{said}"):
        _ = inspect.unwrap(Forward.replay)(Forward(Residual(), rows()), "middle", value).outputs


def test_the_value_stays_where_the_next_layer_works_in_place():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(inplace=True), nn.Linear(5, 3)).double()
    value = torch.randn(6, 5, dtype=torch.float64, requires_grad=True)
    before = value.detach().clone()
    outputs = Forward(model, rows()).replay("0", value).outputs
    assert torch.equal(value, before)
    assert torch.equal(outputs, model[2](before.relu()))
    (slope,) = torch.autograd.grad(outputs.sum(), value)
    assert torch.allclose(slope, (before > 0) * model[2].weight.sum(dim=0))
