"""IVON finds the exact posterior where it is normal, and nearly so where it is almost normal."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from corrigible.data.dataset import as_dataset
from corrigible.errors import UnsupportedModelError
from corrigible.models import mlp
from corrigible.models.bayes.ivon import IVON, Ivon
from corrigible.models.predictive import predictive
from corrigible.protocols.fresh_training import train
from corrigible.protocols.schedule import Schedule, run

NUM_ROWS, DECAY = 100, 0.05


def trained(parameter: nn.Parameter, mean_loss: Callable[[], Tensor], num_rows: int, decay: float) -> Tensor:
    """Standard deviations, averaged over late steps and over the parameter's columns, which are alike."""
    optimizer = IVON([parameter], 0.2, num_rows=num_rows, weight_decay=decay, curvature=0.3, betas=(0.9, 0.99))
    found = []
    for step in range(800):
        optimizer.param_groups[0]["lr"] = 0.2 if step < 300 else 0.01
        optimizer.zero_grad()
        mean_loss().backward()
        optimizer.step()
        if step >= 500 and step % 10 == 0:
            found.append(optimizer.std(parameter))
    return torch.stack(found).mean((0, 2))


def test_on_a_quadratic_it_finds_the_exact_mean_and_variance():
    """Curvatures 0.5 and 2; the posterior's precision is rows × curvature plus the prior's, rows × decay."""
    curvature = torch.tensor([[0.5], [2.0]], dtype=torch.float64)
    best = torch.linspace(-1, 1, 200, dtype=torch.float64)
    parameter = nn.Parameter(torch.zeros(2, 200, dtype=torch.float64))
    stds = trained(parameter, lambda: (0.5 * curvature * (parameter - best).square()).sum(), NUM_ROWS, DECAY)
    expected = (NUM_ROWS * (curvature + DECAY)).rsqrt()
    torch.testing.assert_close(stds, expected[:, 0], rtol=0.01, atol=0)
    off = parameter - curvature * best / (curvature + DECAY)
    assert (off.square().mean(1).sqrt() < 0.3 * expected[:, 0]).all()


def test_on_logistic_regression_it_finds_the_variance_of_the_exact_posterior():
    """Each weight sees rows of its own, so its posterior is one-dimensional, and is computed on a grid."""
    share = torch.tensor([0.5, 0.7, 0.9], dtype=torch.float64)
    rows_each = 60
    parameter = nn.Parameter(torch.zeros(3, 200, dtype=torch.float64))

    def mean_loss() -> Tensor:
        return (share[:, None] * softplus(-parameter) + (1 - share[:, None]) * softplus(parameter)).sum() / 3

    stds = trained(parameter, mean_loss, 3 * rows_each, DECAY / 3)
    grid = torch.linspace(-4, 8, 20_001, dtype=torch.float64)[None]
    likelihood = -rows_each * (share[:, None] * softplus(-grid) + (1 - share[:, None]) * softplus(grid))
    weight = (likelihood - 0.5 * rows_each * DECAY * grid.square()).softmax(1)
    mean = (weight * grid).sum(1, keepdim=True)
    exact = (weight * (grid - mean).square()).sum(1).sqrt()
    torch.testing.assert_close(stds, exact, rtol=0.02, atol=0)


def test_a_step_is_that_of_the_paper():
    parameter, data = nn.Parameter(torch.tensor([0.3, -0.2]).double()), torch.tensor([1.0, 2.0]).double()
    settings = {"num_rows": 7, "weight_decay": 0.1, "curvature": 0.6, "betas": (0.8, 0.9)}
    optimizer = IVON([parameter], 0.5, **settings)
    m, h, g = parameter.detach().clone(), torch.full((2,), 0.6).double(), torch.zeros(2).double()
    for step in (1, 2, 3):
        optimizer.zero_grad()
        drawn = parameter.detach().clone()
        (data * parameter).sin().sum().backward()
        gradient = parameter.grad.clone()
        optimizer.step()
        variance = 1 / (7 * (h + 0.1))
        estimate = gradient * (drawn - m) / variance
        g = 0.8 * g + 0.2 * gradient
        h = 0.9 * h + 0.1 * estimate + 0.5 * 0.1**2 * (h - estimate) ** 2 / (h + 0.1)
        m = m - 0.5 * (0.6 + 0.1) * (g / (1 - 0.8**step) + 0.1 * m) / (h + 0.1)
        torch.testing.assert_close(parameter.detach(), m)
        torch.testing.assert_close(optimizer.std(parameter), (7 * (h + 0.1)).rsqrt())


def test_parameters_are_means_outside_of_a_step():
    parameter = nn.Parameter(torch.tensor([0.1, 0.2, 0.7]))
    before = parameter.detach().clone()
    optimizer = IVON([parameter], num_rows=10)
    optimizer.zero_grad()
    assert not torch.equal(parameter, before)
    optimizer.zero_grad()  # Without a step between.
    optimizer.step()  # Without a gradient.
    assert torch.equal(parameter, before)
    with pytest.raises(ValueError, match="needs a zero_grad"):
        optimizer.step()


def test_a_schedule_trains_with_it_and_its_distribution_predicts():
    torch.manual_seed(0)
    x = torch.randn(96, 2)
    data, model = as_dataset((x, (x[:, 0] > 0).long())), mlp(2, 2, hidden=(8,))
    before = torch.get_rng_state()
    ivon = Ivon(num_rows=len(x))
    schedule = Schedule(epochs=20, optimizer=ivon, learning_rate=0.1, weight_decay=1e-3)
    losses = [epoch.loss for epoch in run(model, data, schedule)]
    assert losses[-1] < 0.5 * losses[0]
    assert torch.equal(torch.get_rng_state(), before)
    posterior = ivon.posterior(model)
    found = predictive(posterior, x, samples=8)
    assert torch.equal(posterior.eval()(x), model.eval()(x))
    assert ((found.values.argmax(1) == (x[:, 0] > 0)).float().mean()) > 0.9
    assert (found.spread.mean()) > 1e-3
    with pytest.raises(UnsupportedModelError, match="no optimizer made here"):
        ivon.posterior(train(mlp(2, 2), data, epochs=1))
