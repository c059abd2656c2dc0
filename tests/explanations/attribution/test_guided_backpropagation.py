import pytest
import torch
from captum.attr import GuidedBackprop
from torch import nn
from torch.nn import functional

from corrigible.errors import UnsupportedModelError
from corrigible.explanations import explain
from corrigible.explanations.attribution import guided_backpropagation
from corrigible.models import lenet

ZERO = torch.tensor([0])
METHOD = "guided_backpropagation"


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
        nn.Threshold(0.0, 0.0),
        lambda a: functional.threshold(a, 0, 0, inplace=True),
        lambda a: functional.leaky_relu(a, 0.0),
        lambda a: functional.leaky_relu(a, negative_slope=0),
    ],
)
def test_a_rectifier_is_guided_however_it_is_written(rectify):
    torch.manual_seed(0)
    model, x = Rectified(rectify), torch.randn(5, 4)
    is_open = model.first(x) > 0
    expected = (is_open * model.second.weight[1].clamp_min(0)) @ model.first.weight
    found = guided_backpropagation(model, x, torch.ones(5, dtype=torch.long))
    torch.testing.assert_close(found, expected.detach())


class OwnReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(0)

    @staticmethod
    def backward(ctx, gradient):
        return gradient * (ctx.saved_tensors[0] > 0)


def scripted(a):
    return torch.where(a > 0, a, torch.zeros_like(a))


def set_to_0(a):
    a = 1 * a
    a[a < 0] = 0
    return a


def chosen_without_gradient(a):
    with torch.no_grad():
        is_open = (a.clone() > 0).float()
    return torch.einsum("ij,ij->ij", a, is_open)


@pytest.mark.parametrize(
    "rectify",
    [
        lambda a: a * (a > 0),
        lambda a: (a >= 0) * a,
        lambda a: a * (~(a.detach() < 0)).to(a.dtype),
        lambda a: a * a.sign().clamp(0),
        lambda a: a * torch.heaviside(a.data, torch.tensor(0.0)),
        chosen_without_gradient,
        lambda a: torch.where(a > 0, a, 0),
        lambda a: torch.where(a > 0, a, 0.01 * a),
        lambda a: a.masked_fill(a < 0, 0),
        set_to_0,
        lambda a: torch.maximum(a, torch.zeros(8)),
        lambda a: torch.max(torch.tensor(0.0), a),
        lambda a: torch.maximum(a, 0 * a),
        lambda a: torch.fmax(a, torch.zeros(8)),
        lambda a: -torch.minimum(-a, torch.zeros(1)),
        lambda a: -(-a).clamp(max=0),
        lambda a: torch.stack([a, torch.zeros_like(a)]).amax(0),
        lambda a: torch.stack([a, torch.zeros_like(a)]).max(0).values,
        lambda a: a.clamp(torch.zeros(8)),
        lambda a: a.clamp_min(torch.zeros(8)),
        lambda a: a.clamp(min=torch.zeros(8), max=torch.ones(8)),
        lambda a: (a + a.abs()) / 2,
        lambda a: functional.elu(a, alpha=0.0),
        lambda a: functional.prelu(a, torch.zeros(1)),
        lambda a: functional.rrelu(a, 0.0, 0.0),
        torch.ops.aten.relu,
        OwnReLU.apply,
        lambda a: OwnReLU.apply(a) + 1,
    ],
)
@pytest.mark.parametrize("rows", [torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), torch.zeros(1, 4)])
def test_a_rectifier_that_cannot_be_guided_is_refused(rectify, rows):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), Rectified(rectify))
    with pytest.raises(UnsupportedModelError, match=r"the model runs .* cannot guide: write it as nn\.ReLU"):
        guided_backpropagation(model, rows, torch.ones(len(rows), dtype=torch.long))


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_a_rectifier_in_compiled_code_is_refused():
    model = nn.Sequential(nn.ReLU(), Rectified(torch.jit.script(scripted)))
    for _ in range(4):  # It runs as it is written at first.
        with pytest.raises(UnsupportedModelError, match="code that cannot be seen"):
            guided_backpropagation(model, torch.randn(5, 4), torch.ones(5, dtype=torch.long))


def test_a_relu_inside_a_recurrent_layer_is_refused():
    class Recurrent(nn.RNN):
        def forward(self, x):
            return super().forward(x)[0][:, -1].relu()

    with pytest.raises(UnsupportedModelError, match="ReluBackward"):
        explain(Recurrent(3, 4, nonlinearity="relu", batch_first=True), torch.ones(2, 5, 3), 0, method=METHOD)


class Attending(nn.Module):
    """Layers and masks that cut nothing off by its own sign."""

    def __init__(self):
        super().__init__()
        self.attention, self.norm = nn.MultiheadAttention(4, 2, batch_first=True), nn.LayerNorm(4)
        self.memory, self.last = nn.LSTM(4, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, x):
        is_padding = (x == 0).all(dim=2)
        mixed, _ = self.attention(x, x, x, key_padding_mask=is_padding)
        hidden = self.norm(x + functional.gelu(mixed)) * (x.abs().sum(2, keepdim=True) > 0)
        hidden = torch.where(hidden.isnan(), 0, hidden)
        hidden = 1 * torch.relu(self.memory(hidden)[0])
        part = hidden[:, 0]
        part.mul_(2)
        hidden[:, 1] = 3 * functional.normalize(hidden[:, 2] - hidden[:, 2].max().detach())
        return self.last(hidden.max(dim=1).values)


def test_masks_of_places_and_layers_without_rectifiers_pass():
    torch.manual_seed(0)
    assert bool((explain(Attending(), torch.randn(3, 5, 4), 0, method=METHOD) != 0).any())


def test_a_rectifier_that_the_input_does_not_reach_passes():
    torch.manual_seed(0)

    class Positive(nn.Linear):
        def forward(self, x):
            weight = OwnReLU.apply(self.weight)
            return functional.linear(x.relu(), weight * (weight > 0))

    model, x = Positive(4, 3), torch.rand(2, 4)
    found = explain(model, x, 0, method=METHOD)
    torch.testing.assert_close(found, model.weight[0].relu().expand(2, 4).detach())


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


@pytest.mark.parametrize("layer", [nn.PReLU(8), nn.LeakyReLU(0.1), nn.Threshold(0.1, 0.0), nn.GELU()])
def test_functions_that_only_look_like_a_relu_keep_their_gradient(layer):
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 8), layer, nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)), torch.randn(3, 4)
    found = explain(model, x, 0, method="guided_backpropagation")
    inner = model[:2](x.requires_grad_())
    gate = model[3](model[2](inner)) > 0
    guided = (model[4].weight[0].relu() * gate) @ model[2].weight
    (expected,) = torch.autograd.grad(inner, x, guided)
    torch.testing.assert_close(found, expected)
