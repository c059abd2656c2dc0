"""Contextual decomposition, against its rules written out by hand."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from corrigible.errors import UnsupportedModelError
from corrigible.models.decomposition import contribution


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def shared(part: Tensor, other: Tensor, offset: Tensor) -> Tensor:
    return part + offset * part.abs() / (part.abs() + other.abs())


def activated(function, part: Tensor, other: Tensor) -> Tensor:
    zero = torch.zeros_like(part)
    return ((function(part) - function(zero)) + (function(part + other) - function(other))) / 2


def test_the_whole_is_the_plain_output_and_all_inputs_contribute_all_but_what_functions_give_for_0(case):
    x = case.batch.x
    logits, none = contribution(case.model, x, torch.zeros_like(x))
    torch.testing.assert_close(logits, case.model(x), rtol=0, atol=0)
    assert not none.any()
    relus = case.name in ("lenet", "functional_relu", "batchnorm_resnet")
    if relus:  # With f(0) = 0 and shared biases nothing is left for the rest.
        torch.testing.assert_close(contribution(case.model, x, x)[1], logits)


def test_two_layers_by_hand():
    first, second, x, part = nn.Linear(4, 5).double(), nn.Linear(5, 3).double(), drawn(6, 4), drawn(6, 4, seed=1)
    for function in (torch.relu, torch.sigmoid, functional.softplus, torch.tanh):
        beta = part @ first.weight.T
        gamma = (x - part) @ first.weight.T
        beta, gamma = shared(beta, gamma, first.bias), shared(gamma, beta, first.bias)
        whole = function(beta + gamma)
        beta = activated(function, beta, gamma)
        gamma = whole - beta
        expected = shared(beta @ second.weight.T, gamma @ second.weight.T, second.bias)

        class Net(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return second(function(first(x)))  # noqa: B023

        torch.testing.assert_close(contribution(Net(), x, part)[1], expected)


def test_a_linear_models_inputs_contribute_weight_times_value():
    model, x = nn.Linear(4, 3, bias=False).double(), drawn(5, 4)
    part = x * torch.tensor([1.0, 0.0, 1.0, 0.0])
    torch.testing.assert_close(contribution(model, x, part)[1], part @ model.weight.T)


def test_a_bias_goes_to_what_is_there():
    model, x = nn.Linear(2, 2).double(), torch.tensor([[2.0, 3.0]], dtype=torch.float64)
    weight = torch.tensor([[1.0, 2.0], [-1.0, 0.0]])
    with torch.no_grad():
        model.weight.copy_(weight)
        model.bias.copy_(torch.tensor([4.0, 5.0]))
    found = contribution(model, x, torch.tensor([[2.0, 0.0]], dtype=torch.float64))[1]
    # 2 of 2 + 6 takes a quarter of 4; -2 of 2 + 0 takes all of 5.
    torch.testing.assert_close(found, torch.tensor([[3.0, 3.0]], dtype=torch.float64))


def test_batch_normalisation_scales_and_shares_what_it_adds():
    norm = nn.BatchNorm1d(3).double().eval()
    with torch.no_grad():
        for tensor, seed in ((norm.weight, 1), (norm.bias, 2), (norm.running_mean, 3)):
            tensor.copy_(drawn(3, seed=seed))
        norm.running_var.copy_(drawn(3, seed=4).square() + 0.5)
    x, part = drawn(5, 3), drawn(5, 3, seed=5)
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    expected = shared(part * scale, (x - part) * scale, norm.bias - norm.running_mean * scale)
    torch.testing.assert_close(contribution(norm, x, part)[1], expected)


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.MaxPool2d(3, 2, padding=1), nn.AdaptiveMaxPool2d(2)])
def test_pooling_takes_the_part_of_the_largest(pool):
    x, part = drawn(2, 3, 4, 4), drawn(2, 3, 4, 4, seed=1)
    found = contribution(nn.Sequential(pool, nn.Flatten()), x, part)
    values, parts = x.flatten().tolist(), part.flatten().tolist()
    expected = [parts[values.index(value)] for value in pool(x).flatten().tolist()]
    assert found[1].flatten().tolist() == expected


class Calls(nn.Module):
    """One function of the input."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


W = drawn(4, 4, seed=9)
LINEAR = {
    "flipped": lambda x: x.flip(1),
    "joined to a constant": lambda x: torch.cat([x, torch.zeros_like(x)], dim=1),
    "padded": lambda x: functional.pad(x, (1, 2), value=0.0),
    "times a constant": lambda x: 3 * x / 2,
    "times a matrix": lambda x: x @ W,
    "less itself turned": lambda x: x - x.flip(1),
    "folded": lambda x: x.view(x.size(0), 2, -1).mean(dim=2),
    "in halves": lambda x: torch.stack([half.sum(1) for half in x.chunk(2, dim=1)], dim=1),
    "hidden": lambda x: x.masked_fill(torch.tensor([True, False, False, True]), 0.0),
    "added in place": lambda x: x.mul(2).add_(x),
}


@pytest.mark.parametrize("name", LINEAR)
def test_linear_functions_apply_to_the_part_alone(name):
    x, part = drawn(3, 4), drawn(3, 4, seed=1)
    logits, found = contribution(Calls(LINEAR[name]), x, part)
    torch.testing.assert_close(logits, LINEAR[name](x))
    torch.testing.assert_close(found, LINEAR[name](part))


def test_constants_are_shared_as_biases_are():
    x, part, constant = drawn(3, 4), drawn(3, 4, seed=1), drawn(4, seed=2)
    expected = shared(part, x - part, constant)
    for function in (
        lambda x: x + constant,
        lambda x: constant + x,
        lambda x: x - -constant,
        lambda x: x.clone().add_(constant),
    ):
        torch.testing.assert_close(contribution(Calls(function), x, part)[1], expected)
    reverse = contribution(Calls(lambda x: 2.0 - x), x, part)[1]
    torch.testing.assert_close(reverse, shared(-part, part - x, torch.tensor(2.0).double()))
    padded = contribution(Calls(lambda x: functional.pad(x, (0, 1), value=7.0)), x, part)[1]
    torch.testing.assert_close(padded, functional.pad(part, (0, 1)))


def test_the_largest_over_an_axis():
    x, part = drawn(3, 4, 5), drawn(3, 4, 5, seed=1)
    expected = part.gather(2, x.argmax(2, keepdim=True))[:, :, 0]
    for function in (
        lambda x: x.max(dim=2).values,
        lambda x: torch.max(x, 2)[0],
        lambda x: x.max(2, True).values.squeeze(2),
        lambda x: x.amax(dim=2),
        lambda x: x.amax(-1, keepdim=True).flatten(1),
    ):
        assert torch.equal(contribution(Calls(function), x, part)[1], expected)


def test_functions_in_place_and_dropout_drop_alike():
    x, part = drawn(3, 4), drawn(3, 4, seed=1)
    plain = contribution(Calls(torch.relu), x, part)
    for function in (lambda x: torch.relu_(x.clone()), nn.ReLU(inplace=True)):
        found = contribution(Calls(function), x, part)
        assert torch.equal(found[0], plain[0])
        assert torch.equal(found[1], plain[1])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        logits, found = contribution(nn.Dropout(0.5).train(), x, part)
    scale = (logits / x).round()
    assert {0.0, 2.0} == set(scale.flatten().tolist())
    torch.testing.assert_close(found, part * scale)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: x.softmax(1), "softmax"),
        (lambda x: x * x, "mul"),
        (lambda x: 1 / x, "div|reciprocal"),
        (lambda x: torch.div(torch.ones(4).double(), x), "div by something that depends"),
        (lambda x: functional.layer_norm(x, (4,)), "layer_norm"),
        (lambda x: x.detach(), "detach"),
        (lambda x: x.clone().__setitem__(0, 0.0), "setitem"),
        (lambda x: x.pow(0.5), "pow"),
        (lambda x: torch.maximum(x, -x), "maximum"),
        (lambda x: functional.batch_norm(x, torch.zeros(4), torch.ones(4), training=True), "batch_norm"),
        (lambda x: torch.ones(3, 2).double(), "cannot follow"),
        (lambda x: torch.clamp(x, min=x[0]), "clamp"),
    ],
)
def test_what_is_not_covered_is_refused_by_name(function, name):
    with pytest.raises(UnsupportedModelError, match=name):
        contribution(Calls(function), drawn(3, 4), drawn(3, 4, seed=1))
