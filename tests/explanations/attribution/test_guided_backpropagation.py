import pytest
import torch
from captum.attr import GuidedBackprop
from torch import nn
from torch.nn import functional

from corrigible.explanations import explain
from corrigible.explanations.attribution import guided_backpropagation
from corrigible.models import lenet

ZERO = torch.tensor([0])


def test_hand_worked():
    # Hidden units (x, −x, 2x) at x = 1: the second is shut, the third passes its gradient −1 on only when unguided.
    model = nn.Sequential(nn.Linear(1, 3, bias=False), nn.ReLU(), nn.Linear(3, 2, bias=False))
    model[0].weight.data = torch.tensor([[1.0], [-1.0], [2.0]])
    model[2].weight.data = torch.tensor([[5.0, 7.0, -1.0], [0.0, 0.0, 0.0]])
    assert explain(model, [[1.0]], 0, method="input_gradient").item() == 3
    assert explain(model, [[1.0]], 0, method="guided_backpropagation").item() == 5


class Rectified(nn.Module):
    """The same rectifier, written in several ways."""

    def __init__(self, rectify):
        super().__init__()
        self.first, self.second, self.rectify = nn.Linear(4, 8), nn.Linear(8, 3), rectify

    def forward(self, x):
        return self.second(self.rectify(self.first(x)))


@pytest.mark.parametrize(
    "rectify",
    [
        nn.ReLU(),
        nn.ReLU(inplace=True),
        functional.relu,
        lambda a: functional.relu(a, True),
        functional.relu_,
        torch.relu,
        torch.relu_,
        torch.Tensor.relu,
        lambda a: a.relu_(),
        lambda a: a.clamp(min=0),
        lambda a: a.clamp(0),
        lambda a: a.clamp_min(0),
        lambda a: a.clamp_min_(0),
        lambda a: functional.hardtanh(a, 0, 1e9),
        lambda a: functional.hardtanh(a, max_val=1e9, min_val=0),
    ],
)
def test_a_rectifier_is_guided_however_it_is_written(rectify):
    torch.manual_seed(0)
    model, x = Rectified(rectify), torch.randn(5, 4)
    is_open = model.first(x) > 0
    expected = (is_open * model.second.weight[1].clamp_min(0)) @ model.first.weight
    found = guided_backpropagation(model, x, torch.ones(5, dtype=torch.long))
    torch.testing.assert_close(found, expected.detach())


@pytest.mark.parametrize("relu6", [nn.ReLU6(), functional.relu6])
def test_relu6_is_shut_from_6_on(relu6):
    model = nn.Sequential(Rectified(relu6))
    model[0].first.weight.data.fill_(1)
    model[0].first.bias.data = torch.tensor([0.0, 0, 0, 0, 5, 5, 5, 5])
    model[0].second.weight.data.fill_(1)
    found = guided_backpropagation(model, torch.full((1, 4), 0.5), ZERO)
    assert found.tolist() == [[4.0] * 4]


@pytest.mark.filterwarnings("ignore:Setting backward hooks")
def test_it_agrees_with_captum():
    torch.manual_seed(0)
    model, x, target = lenet(), torch.randn(4, 1, 28, 28), torch.tensor([1, 2, 3, 4])
    expected = GuidedBackprop(model).attribute(x.clone().requires_grad_(), target=target)
    torch.testing.assert_close(explain(model, x, target, method="guided_backpropagation"), expected)


@pytest.mark.parametrize("layer", [nn.Threshold(0.0, 0.0), nn.PReLU(8), nn.Threshold(0.1, 0.0)])
def test_functions_that_only_look_like_a_relu_keep_their_gradient(layer):
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 8), layer, nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)), torch.randn(3, 4)
    found = explain(model, x, 0, method="guided_backpropagation")
    inner = model[:2](x.requires_grad_())
    gate = model[3](model[2](inner)) > 0
    guided = (model[4].weight[0].relu() * gate) @ model[2].weight
    (expected,) = torch.autograd.grad(inner, x, guided)
    torch.testing.assert_close(found, expected)
