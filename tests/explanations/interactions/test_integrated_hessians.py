import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd.functional import hessian
from torch.nn import functional

from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.explanations.attribution import integrated_gradients
from corrigible.explanations.interactions import integrated_hessians
from corrigible.explanations.interactions.integrated_hessians import log_quadrature_of
from corrigible.models.softplus import smooth_activations_of
from corrigible.types import Columns


def smooth_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 6), nn.Softplus(), nn.Linear(6, 3)).double()


def rows(count=2):
    return torch.randn(count, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def double_integral(model, row, start, label):
    """The paper's definitions, on a grid of both coordinates."""
    nodes, weights = np.polynomial.legendre.leggauss(12)
    nodes, weights = (nodes + 1) / 2, weights / 2
    way, total = row - start, torch.zeros(3, 3, dtype=torch.float64)
    for a, weight_a in zip(nodes, weights, strict=True):
        for b, weight_b in zip(nodes, weights, strict=True):
            point = (start + a * b * way).requires_grad_()
            (gradient,) = torch.autograd.grad(model(point[None])[0, label], point)
            second = hessian(lambda z: model(z[None])[0, label], point.detach())
            total += weight_a * weight_b * a * b * second * way[:, None] * way
            total += weight_a * weight_b * torch.diag(gradient * way)
    return total


def test_it_is_the_papers_double_integral():
    model, x, target = smooth_net(), rows(), torch.tensor([0, 2])
    start = torch.tensor([0.3, -0.2, 0.0], dtype=torch.float64)
    expected = torch.stack([double_integral(model, row, start, label) for row, label in zip(x, target, strict=True)])
    torch.testing.assert_close(integrated_hessians(model, x, target, baseline=start), expected, rtol=1e-6, atol=1e-8)


def test_a_product_of_two_inputs_is_shared_evenly_by_its_four_places():
    class Product(nn.Module):
        def forward(self, x):
            return x[:, 0] * x[:, 1] + 5 * x[:, 2]

    found = integrated_hessians(Product(), torch.tensor([[2.0, 3.0, 1.0]]), None, steps=3)
    torch.testing.assert_close(found[0], torch.tensor([[1.5, 1.5, 0.0], [1.5, 1.5, 0.0], [0.0, 0.0, 5.0]]))


@pytest.mark.parametrize(
    ("score", "target"),
    [
        ("target_logit", torch.tensor([0, 2])),
        ("target_log_prob", torch.tensor([0, 2])),
        ("random_projection", torch.tensor([0, 2])),
        ("target_logit", torch.tensor([[0, 1], [2, 0]])),
    ],
)
def test_each_row_of_it_sums_to_the_integrated_gradient(score, target):
    model, x = smooth_net(), rows()
    found = integrated_hessians(model, x, target, score=score, baseline=0.5, seed=3)
    gradients = integrated_gradients(model, x, target, score=score, baseline=0.5, seed=3, steps=50)
    torch.testing.assert_close(found.sum(2), gradients, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(found, found.transpose(1, 2))


@pytest.mark.parametrize("baseline", [None, 0.0, torch.tensor([1.0, 0.2, 0.2])])
def test_of_a_table_too(baseline):
    """From an even mix of categories, or from a baseline that holds none or a part of one."""
    columns = Columns(("dose", "site=a", "site=b"), ("dose", "site", "site"), (False, True, True))
    model, x, target = smooth_net(), torch.tensor([[0.4, 0, 1], [-1, 1, 0]], dtype=torch.float64), torch.tensor([0, 2])
    settings = {"baseline": baseline, "columns": columns}
    found = integrated_hessians(model, x, target, **settings)
    torch.testing.assert_close(found.sum(2), integrated_gradients(model, x, target, **settings), rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(found, found.transpose(1, 2))
    start = torch.tensor([0, 0.5, 0.5]) if baseline is None else torch.as_tensor(baseline).expand(3)
    rise = (model(x) - model(start.double()[None])).gather(1, target[:, None])[:, 0].detach()
    torch.testing.assert_close(found.sum((1, 2)), rise, rtol=0, atol=1e-9)


def test_chunks_and_the_order_of_rows_change_nothing():
    model, x, target = smooth_net(), rows(5), torch.arange(5) % 3
    whole = integrated_hessians(model, x, target, steps=7, score="random_projection")
    for rows_at_once in (1, 3, 20):
        settings = {"steps": 7, "score": "random_projection", "rows_at_once": rows_at_once}
        turned = integrated_hessians(model, x.flip(0), target.flip(0), **settings)
        torch.testing.assert_close(turned.flip(0), whole)


@pytest.mark.parametrize("degree", range(8))
def test_the_quadrature_integrates_powers_times_minus_the_logarithm(degree):
    nodes, weights = log_quadrature_of(8)
    assert weights @ nodes**degree == pytest.approx(1 / (degree + 1) ** 2, rel=1e-12)


class Written(nn.Module):
    """A network whose activation is a function given to it."""

    def __init__(self, activation):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last, self.activation = nn.Linear(3, 6), nn.Linear(6, 2), activation

    def forward(self, x):
        return self.last(self.activation(2 * self.first(x)))


def in_place(z):
    functional.relu(z, inplace=True)
    return z


def method_in_place(z):
    z.relu_()
    return z


ROUNDED = {
    "layer": (nn.ReLU(), lambda z: z.relu()),
    "layer in place": (nn.ReLU(inplace=True), lambda z: z.relu()),
    "function in place": (in_place, lambda z: z.relu()),
    "method in place": (method_in_place, lambda z: z.relu()),
    "torch.relu": (torch.relu, lambda z: z.relu()),
    "leaky": (nn.LeakyReLU(0.2), lambda z: functional.leaky_relu(z, 0.2)),
    "relu6": (nn.ReLU6(), lambda z: z.clamp(0, 6)),
    "hardtanh": (nn.Hardtanh(-0.5, 2.0), lambda z: z.clamp(-0.5, 2.0)),
    "clamp": (lambda z: torch.clamp(z, min=0.1), lambda z: z.clamp_min(0.1)),
    "clamp_min": (lambda z: z.clamp_min(0.1), lambda z: z.clamp(min=0.1)),
    "clamp_max": (lambda z: z.clamp_max(0.1), lambda z: z.clamp(max=0.1)),
}


@pytest.mark.parametrize("name", ROUNDED)
def test_a_kinked_activation_is_refused_or_rounded_off_wherever_it_is_written(name):
    activation, plain = ROUNDED[name]
    model, x, target = Written(activation).double(), rows(), torch.tensor([0, 1])
    with pytest.raises(UnsupportedModelError, match="give beta"):
        integrated_hessians(model, x, target)
    found = integrated_hessians(model, x, target, beta=3.0, steps=40)
    with smooth_activations_of(3.0):
        ends = [Written(plain).double()(z.clone().requires_grad_()) for z in (x, torch.zeros_like(x))]
    expected = (ends[0] - ends[1]).gather(1, target[:, None])[:, 0]
    torch.testing.assert_close(found.sum((1, 2)), expected, rtol=1e-6, atol=1e-6)
    assert found[:, 0, 1].abs().min() > 0


@pytest.mark.parametrize("name", ["layer", "leaky", "relu6", "hardtanh", "clamp", "clamp_max"])
def test_the_sharper_the_rounding_the_closer_to_the_model_itself(name):
    plain, z = ROUNDED[name][1], torch.linspace(-8, 8, 101, dtype=torch.float64).requires_grad_()
    gaps = []
    for beta in (10.0, 1000.0):
        with smooth_activations_of(beta):
            rounded = plain(z)
        gaps.append((rounded - plain(z)).abs().max().item())
    assert 1e-4 < gaps[0] < 0.1
    assert gaps[1] < 1e-3


def test_softplus_in_the_place_of_relu_is_what_beta_means():
    model = Written(nn.ReLU()).double()
    softened = Written(nn.Softplus(beta=4.0)).double()
    x, target = rows(), torch.tensor([0, 1])
    torch.testing.assert_close(
        integrated_hessians(model, x, target, beta=4.0), integrated_hessians(softened, x, target), rtol=1e-9, atol=1e-12
    )


REFUSED = {
    "prelu": nn.PReLU(),
    "abs": torch.abs,
    "max_pool1d": lambda z: functional.max_pool1d(z[:, None], 2).repeat(1, 1, 2)[:, 0],
    "maximum": lambda z: torch.maximum(z, z.flip(1)),
    "amax": lambda z: z - z.amax(dim=1, keepdim=True),
}


@pytest.mark.parametrize("name", REFUSED)
def test_kinks_that_cannot_be_rounded_off_are_refused(name):
    with pytest.raises(UnsupportedModelError, match=f"uses {name}, .* use a model without it"):
        integrated_hessians(Written(REFUSED[name]).double(), rows(), torch.tensor([0, 1]), beta=10.0)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"steps": 0}, RecipeError, "steps is 0; expected at least 1"),
        ({"beta": 0.0}, RecipeError, "beta is 0.0; expected a number above 0"),
        ({"score": "margin"}, RecipeError, "'margin' has kinks"),
        ({"score": "logit"}, RecipeError, "unknown score"),
        ({"baseline": torch.zeros(4)}, DataError, r"baseline has shape \(4,\)"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        integrated_hessians(smooth_net(), rows(), torch.tensor([0, 1]), **settings)
