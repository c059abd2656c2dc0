"""While searching, explanations depend on the rows as finite differences say, and ReLUs are soft."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from corrigible.explanations import EXPLAINERS, explain
from corrigible.explanations.trust.searching import Searching
from corrigible.models.modes import untouched

SETTINGS = {
    "input_gradient": {},
    "gradient_x_input": {},
    "integrated_gradients": {"steps": 5},
    "grad_cam": {},
    "deep_lift": {},
    "occlusion": {"patch": 2},
    "kernel_shap": {"samples": 50},
}


def smooth_net():
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 2, 3, padding=1), nn.Softplus(), nn.Conv2d(2, 3, 3, padding=1), nn.Softplus()
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(48, 3)).double()


@pytest.mark.parametrize("method", SETTINGS)
def test_the_attribution_has_the_derivative_that_finite_differences_find(method):
    model, target, step = smooth_net(), torch.tensor([0, 2]), 1e-5
    x, direction, weights = torch.randn(3, 2, 1, 4, 4, dtype=torch.float64)

    def explained(rows):
        return (explain(model, rows, target, method=method, **SETTINGS[method]) * weights).sum()

    expected = (explained(x + step * direction) - explained(x - step * direction)) / (2 * step)
    rows = x.clone().requires_grad_()
    with untouched(model, 0), Searching(model, 50.0):
        found = EXPLAINERS[method](model, rows, target, differentiable=True, **SETTINGS[method])
    (gradient,) = torch.autograd.grad((found * weights).sum(), rows)
    torch.testing.assert_close((gradient * direction).sum(), expected, rtol=1e-4, atol=1e-7)


class Relus(nn.Module):
    def forward(self, x):
        overwritten, in_place = x.clone(), x.clone()
        overwritten.relu_()
        functional.relu(in_place, inplace=True)
        kinds = functional.relu(x), x.relu(), torch.relu(x), nn.ReLU()(x), nn.ReLU(inplace=True)(x.clone())
        return torch.stack(
            [
                *(*kinds, overwritten, in_place, functional.relu6(x), nn.LeakyReLU(0.1, inplace=True)(x.clone())),
                *(x.clamp(0, 6), torch.clip(x, min=0), nn.Hardtanh(-1, 1)(x)),
            ]
        )


def test_every_way_to_call_a_relu_is_soft_inside_the_model_and_nowhere_else():
    model, x = Relus(), torch.linspace(-2, 8, 21, dtype=torch.float64)
    hard = model(x)
    soft_plus = functional.softplus(x, beta=5.0)
    with Searching(model, 5.0):
        found, outside = model(x), x.relu()
    assert torch.equal(outside, x.relu())
    for kind in found[:7]:
        torch.testing.assert_close(kind, soft_plus)
    torch.testing.assert_close(found[7], soft_plus - functional.softplus(x - 6, beta=5.0))
    torch.testing.assert_close(found[8], 0.1 * x + 0.9 * soft_plus)
    torch.testing.assert_close(found[9], found[7])
    torch.testing.assert_close(found[10], soft_plus)
    above = [functional.softplus(x - corner, beta=5.0) for corner in (-1, 1)]
    torch.testing.assert_close(found[11], -1 + above[0] - above[1])
    rows = x.clone().requires_grad_()
    with Searching(model, 5.0):
        (gradient,) = torch.autograd.grad(model(rows)[5].sum(), rows)
    torch.testing.assert_close(gradient, torch.sigmoid(5 * x))
    with Searching(model, 1e6):
        torch.testing.assert_close(model(x), hard, rtol=0, atol=1e-6)


class Stopping(nn.Module):
    """A model that itself stops a gradient."""

    def forward(self, x):
        return (x.detach() * x).sum(dim=1)


def test_rows_stay_attached_outside_of_the_model_but_its_own_detach_is_respected():
    model, x = Stopping(), torch.tensor([[3.0]], requires_grad=True)
    with Searching(model, 10.0):
        rows = x.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(model(rows).sum(), rows, create_graph=True)
        as_array = rows.numpy().tolist()
    assert (rows * 2).requires_grad
    assert gradient.item() == 3
    assert as_array == [[3.0]]


def test_nothing_is_left_on_the_model_even_after_an_error():
    model = Stopping()
    with pytest.raises(TypeError), Searching(model, 10.0):
        model(None, None)
    assert not model._forward_hooks
    assert not model._forward_pre_hooks
    assert torch.ones(1, requires_grad=True).detach().requires_grad is False
