"""The bound of the expected cross-entropy over a last layer's weights."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from corrigible.errors import UnsupportedModelError
from corrigible.losses import last_layer_bound
from corrigible.models.bayes import variational_last_layer
from corrigible.models.bayes.drawing import weight_draw
from corrigible.models.forward import Forward
from corrigible.types import Batch


def case() -> tuple[nn.Module, Batch]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)).double()
    return model, Batch(torch.arange(6), torch.randn(6, 4).double(), torch.arange(6) % 3)


def test_is_the_log_of_the_mean_of_the_exponentials_by_definition():
    model, batch = case()
    bayesian = variational_last_layer(model)
    nn.init.constant_(bayesian[2].weight_log_std, -1.0)
    features = model[:2](batch.x)
    spread = features.square().sum(1, keepdim=True) * torch.tensor(-2.0).exp()
    expected = (model(batch.x) + spread / 2).exp().sum(1).log() - model(batch.x)[torch.arange(6), batch.y]
    for mode in (True, False):
        torch.testing.assert_close(last_layer_bound(Forward(bayesian.train(mode), batch), batch), expected)


def test_bounds_the_expected_cross_entropy_and_equals_it_without_spread():
    model, batch = case()
    bayesian = variational_last_layer(model)
    nn.init.constant_(bayesian[2].weight_log_std, -1.0)
    found = last_layer_bound(Forward(bayesian, batch), batch)
    features = model[:2](batch.x)
    losses = [
        cross_entropy(features @ weight_draw(bayesian, number)["2.weight"].T + model[2].bias, batch.y, reduction="none")
        for number in range(2000)
    ]
    mean = torch.stack(losses).mean(0)
    assert (found > mean - 1e-9).all()
    assert (found < mean + 0.2).all()
    nn.init.constant_(bayesian[2].weight_log_std, -20.0)
    exact = cross_entropy(model(batch.x), batch.y, reduction="none")
    torch.testing.assert_close(last_layer_bound(Forward(bayesian, batch), batch), exact)


def test_a_last_layer_without_a_distribution_is_refused():
    model, batch = case()
    with pytest.raises(UnsupportedModelError, match="layer '2' does not draw"):
        last_layer_bound(Forward(model, batch), batch)
    with pytest.raises(UnsupportedModelError, match="the logits are not the outputs of layer '0.2'"):
        last_layer_bound(Forward(nn.Sequential(variational_last_layer(model), nn.ReLU()), batch), batch)
