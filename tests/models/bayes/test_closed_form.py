"""The mean prediction without samples: exact without variance, close to the integral with it."""

import math

import pytest
import torch
from torch import nn

from corrigible.models.bayes import bayesian, variational_last_layer
from corrigible.models.bayes.closed_form import mean_field_log_probs
from corrigible.models.predictive import predictive

X = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def network(outputs: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, outputs)).double()


def wide(outputs: int = 3, *, scale: float = 1.0) -> nn.Module:
    model = variational_last_layer(network(outputs)).eval()
    model[2].weight_log_std.data.fill_(math.log(scale))
    return model


def test_of_two_classes_it_is_mackays_formula():
    mean, variance = torch.tensor([[0.3, 1.1]]).double(), torch.tensor([[0.4, 2.0]]).double()
    expected = ((0.3 - 1.1) / torch.tensor(1 + math.pi * 2.4 / 8).double().sqrt()).sigmoid()
    torch.testing.assert_close(mean_field_log_probs(mean, variance).exp()[0, 0], expected)


def test_without_variance_it_is_the_softmax_and_added_numbers_change_nothing(monkeypatch):
    mean, variance = torch.randn(2, 7, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(mean_field_log_probs(mean, torch.zeros_like(mean)), mean.log_softmax(1))
    found = mean_field_log_probs(mean, variance.abs())
    torch.testing.assert_close(mean_field_log_probs(mean + 5, variance.abs()), found)
    monkeypatch.setattr("corrigible.models.bayes.closed_form.NUMBERS_AT_ONCE", 20)
    torch.testing.assert_close(mean_field_log_probs(mean, variance.abs()), found)


@pytest.mark.parametrize("outputs", [1, 3])
def test_it_is_near_the_mean_of_many_samples_and_nearer_than_the_mean_weights(outputs):
    model = wide(outputs)
    with torch.no_grad():
        many = predictive(model, X, samples=4000).values
        found = predictive(model, X)
        at_means = nn.functional.pad(model(X), (1, 0)).softmax(1) if outputs == 1 else model(X).softmax(1)
    assert len(found.passes) == 1
    assert (found.values - many).abs().max() < 0.03
    assert (found.values - many).abs().mean() < (at_means - many).abs().mean() / 3


def test_only_where_the_last_layer_alone_draws_and_in_eval_mode():
    model = wide()
    assert not torch.allclose(predictive(model, X).outputs.softmax(1), model(X).softmax(1))
    for other in (
        bayesian(network()).eval(),
        bayesian(network(), layers=["0"]).eval(),
        nn.Sequential(model, nn.Tanh()),
    ):
        torch.testing.assert_close(predictive(other, X).outputs, other(X))


def test_outputs_that_are_changed_in_place_behind_the_layer_are_run_as_they_are():
    class Doubled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = wide()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x).mul_(2)

    with torch.no_grad():
        model = Doubled().eval()
        torch.testing.assert_close(predictive(model, X).outputs, model(X))
        inside, doubled = (predictive(of, X, samples=3).passes for of in (bayesian(model.inner), model))
    assert not torch.allclose(inside, doubled)


def test_order_and_division_of_rows_change_nothing():
    model = wide()
    found = predictive(model, X).outputs
    torch.testing.assert_close(predictive(model, X[[4, 1, 1]]).outputs, found[[4, 1, 1]])


def test_gradients_are_those_of_finite_differences():
    model = wide()
    parameters = tuple(model.parameters())
    assert torch.autograd.gradcheck(lambda *_: predictive(model, X[:2]).outputs, parameters, fast_mode=True)
