"""Normal distributions of a network's parameters, and what finds them: SWAG and the Laplace approximation."""

import logging

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from corrigible.data.dataset import TensorData
from corrigible.errors import UnsupportedModelError
from corrigible.models.bayes.drawing import weight_draw
from corrigible.models.bayes.gaussian_weights import GaussianWeights
from corrigible.models.bayes.swag import Swag
from corrigible.models.predictive import predictive
from corrigible.protocols.last_layer_laplace import last_layer_laplace


def network(num_outputs: int = 3) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, num_outputs)).double()


def test_draws_have_the_covariance_of_noise_and_directions():
    model, generator = nn.Linear(2, 1).double(), torch.Generator().manual_seed(1)
    stds = {"weight": torch.tensor([[0.5, 1.0]]).double()}
    along = {
        "weight": torch.randn(3, 1, 2, generator=generator).double(),
        "bias": torch.randn(3, 1, generator=generator).double(),
    }
    given = GaussianWeights(model, stds, along)
    draws = [weight_draw(given, number) for number in range(1500)]
    found = torch.stack([torch.cat([d["network.weight"].flatten(), d["network.bias"]]) for d in draws]).detach()
    directions = torch.cat([along["weight"].flatten(1), along["bias"]], dim=1)
    expected = directions.T @ directions + torch.diag(torch.tensor([0.25, 1.0, 0.0]).double())
    torch.testing.assert_close(found.T.cov(), expected, rtol=0.1, atol=0.2)
    torch.testing.assert_close(
        found.mean(0), torch.cat([model.weight.flatten(), model.bias]).detach(), rtol=0, atol=0.2
    )


def test_another_shape_is_refused():
    with pytest.raises(UnsupportedModelError, match=r"no parameter 'weight' of shape \(3,\)"):
        GaussianWeights(nn.Linear(2, 1), {"weight": torch.ones(3)})


def test_swag_is_the_mean_half_of_the_variances_and_the_latest_deviations():
    model, generator = nn.Linear(2, 1).double(), torch.Generator().manual_seed(1)
    swag, seen = Swag(model, rank=3), []
    for _ in range(5):
        with torch.no_grad():
            model.weight.copy_(torch.randn(1, 2, generator=generator))
        seen.append(model.weight.detach().clone())
        swag.collect()
    found = swag.posterior()
    weights = torch.stack(seen)
    torch.testing.assert_close(found.network.weight, nn.Parameter(weights.mean(0)))
    torch.testing.assert_close(found.get_buffer("std_0"), (weights.var(0, correction=0) / 2).sqrt())
    deviations = torch.stack([weights[n] - weights[: n + 1].mean(0) for n in (2, 3, 4)])
    torch.testing.assert_close(found.get_buffer("directions_0"), deviations / (2 * 2) ** 0.5)
    assert torch.equal(model.weight, seen[-1])


def test_swag_refuses_what_it_cannot_average():
    with pytest.raises(UnsupportedModelError, match="layer '1' keeps statistics"):
        Swag(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
    with pytest.raises(ValueError, match="collected 0 times"):
        Swag(network()).posterior()


@pytest.mark.parametrize("num_outputs", [3, 1])
def test_laplace_is_the_inverse_of_the_exact_hessian(num_outputs):
    model = network(num_outputs)
    torch.manual_seed(2)
    x, y, weight = torch.randn(20, 2).double(), torch.arange(20) % max(num_outputs, 2), torch.rand(20).double()
    last = torch.cat([model[2].weight, model[2].bias[:, None]], dim=1).detach()

    def objective(values: torch.Tensor) -> torch.Tensor:
        values = values.reshape(num_outputs, 5)
        logits = functional_call(model, {"2.weight": values[:, :4], "2.bias": values[:, 4]}, (x,))
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1) if num_outputs == 1 else logits
        return (weight * cross_entropy(logits, y, reduction="none")).sum() + values.square().sum() / (2 * 0.7**2)

    expected = torch.linalg.inv(torch.autograd.functional.hessian(objective, last.flatten()))
    found = last_layer_laplace(model, TensorData(x, y, weight=weight), prior_std=0.7)
    directions = torch.cat([found.get_buffer("directions_0"), found.get_buffer("directions_1")[..., None]], dim=2)
    torch.testing.assert_close(directions.flatten(1).T @ directions.flatten(1), expected)
    torch.testing.assert_close(found.eval()(x), model(x))
    assert predictive(found, x, samples=3).spread.mean() > 0.01


def test_the_prior_of_laplace_makes_the_labels_most_likely(caplog):
    """The integral over the weights of a quadratic loss, by normal distributions, for each of many priors."""
    model = network(3)
    torch.manual_seed(3)
    x, y = torch.randn(60, 2).double(), torch.arange(60) % 3
    theta = torch.cat([model.requires_grad_(False)[2].weight, model[2].bias[:, None]], dim=1).flatten()

    def losses(values: torch.Tensor) -> torch.Tensor:
        values = values.reshape(3, 5)
        logits = functional_call(model, {"2.weight": values[:, :4], "2.bias": values[:, 4]}, (x,))
        return cross_entropy(logits, y, reduction="sum")

    hessian = torch.autograd.functional.hessian(losses, theta).detach()

    def likelihood(std: float) -> float:
        eye = torch.eye(len(theta)).double()
        prior = MultivariateNormal(torch.zeros_like(theta), std**2 * eye).log_prob(theta)
        posterior = MultivariateNormal(torch.zeros_like(theta), precision_matrix=hessian + eye / std**2)
        return float(prior - posterior.log_prob(torch.zeros_like(theta)))

    best = max(torch.logspace(-2, 2, 801).tolist(), key=likelihood)
    expected = last_layer_laplace(model, TensorData(x, y), prior_std=best).get_buffer("directions_0")
    with caplog.at_level(logging.INFO, "corrigible"):
        found = last_layer_laplace(model, TensorData(x, y)).get_buffer("directions_0")
    assert "the prior of layer '2' has standard deviation" in caplog.text
    torch.testing.assert_close(found, expected, rtol=0.05, atol=1e-3)


def test_laplace_keeps_what_is_frozen_and_refuses_a_layer_without_weights():
    model = network(3)
    model[0].requires_grad_(False)
    x, y = torch.randn(30, 2).double(), torch.arange(30) % 3
    found = last_layer_laplace(model, TensorData(x, y), prior_std=0.5)
    assert [p.requires_grad for p in found.parameters()] == [p.requires_grad for p in model.parameters()]
    nn.init.zeros_(model[2].weight)
    nn.init.zeros_(model[2].bias)
    with pytest.raises(UnsupportedModelError, match="no prior from 0.001 to 1000 makes the labels most likely"):
        last_layer_laplace(model, TensorData(x, y))


def test_laplace_refuses_outputs_behind_the_last_layer():
    model = nn.Sequential(network(), nn.Tanh())
    x, y = torch.randn(9, 2).double(), torch.arange(9) % 3
    with pytest.raises(UnsupportedModelError, match=r"not those of layer '0\.2'"):
        last_layer_laplace(model, TensorData(x, y))
