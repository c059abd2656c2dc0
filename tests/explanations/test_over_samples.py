"""Explanations of several networks drawn from a distribution."""

import pytest
import torch
from torch import nn

from corrigible import explain
from corrigible.errors import UnsupportedModelError
from corrigible.explanations.over_samples import explain_over_samples
from corrigible.models.bayes import bayesian
from corrigible.models.bayes.drawing import sample_network, weight_draw
from corrigible.models.bayes.gaussian_weights import GaussianWeights
from corrigible.models.predictive import predictive

X = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
ASKED = {"method": "input_gradient", "score": "target_logit"}


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def test_a_sample_is_the_network_that_predicts():
    for model in (
        bayesian(network(), prior_std=1.0),
        GaussianWeights(network(), {"0.weight": torch.full((4, 3), 0.3)}),
    ):
        passes = predictive(model, X, samples=3).passes
        for number in range(3):
            torch.testing.assert_close(sample_network(model, number).eval()(X), passes[number])


def test_mean_and_spread_are_those_of_the_explained_samples():
    model = bayesian(network(), prior_std=1.0, start="prior")
    found = explain_over_samples(model, X, 1, samples=4, **ASKED)
    literal = []
    for number in range(4):
        one = network()
        one.load_state_dict(one.state_dict() | weight_draw(model, number))
        literal.append(explain(one, X, 1, **ASKED))
    torch.testing.assert_close(found.mean, torch.stack(literal).mean(0))
    torch.testing.assert_close(found.spread, torch.stack(literal).std(0))


def test_a_linear_model_s_gradient_spreads_as_its_weights():
    model = bayesian(nn.Linear(3, 2), prior_std=0.5, start="prior")
    found = explain_over_samples(model, X[:1], 0, samples=60, **ASKED)
    torch.testing.assert_close(found.spread, torch.full((1, 3), 0.5), rtol=0.35, atol=0)


def test_a_network_without_a_distribution_is_refused():
    with pytest.raises(UnsupportedModelError, match="without weights that have a distribution"):
        explain_over_samples(network(), X, 1, **ASKED)
    with pytest.raises(ValueError, match="samples is 1"):
        explain_over_samples(bayesian(network()), X, 1, samples=1, **ASKED)
