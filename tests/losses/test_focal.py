"""The cross-entropy with less weight on rows that are predicted well."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from corrigible.errors import DataError, RecipeError
from corrigible.losses import cross_entropy, focal
from corrigible.models.forward import Forward
from corrigible.protocols.schedule import Schedule
from corrigible.types import Batch
from finite_differences import require_slope

X = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
BATCH = Batch(torch.arange(5), X, torch.tensor([0, 2, 1, 2, 0]))


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Linear(3, 3).double()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_is_by_its_definition_and_moves_along_its_gradient(gamma):
    model = network()
    found = focal(Forward(model, BATCH), BATCH, gamma=gamma).tolist()
    for loss, logits, label in zip(found, model(X).tolist(), BATCH.y.tolist(), strict=True):
        prob = math.exp(logits[label]) / math.fsum(map(math.exp, logits))
        assert loss == pytest.approx(-((1 - prob) ** gamma) * math.log(prob), rel=1e-12)

    def mean(of, differentiable=False):
        loss = focal(Forward(of, BATCH), BATCH, gamma=gamma).mean()
        return loss if differentiable else loss.detach()

    require_slope(model, mean)


def test_gamma_0_is_the_cross_entropy():
    forward = Forward(network(), BATCH)
    torch.testing.assert_close(focal(forward, BATCH, gamma=0.0), cross_entropy(forward, BATCH))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("margin", [-120.0, 60.0, 120.0])
def test_is_finite_with_a_finite_gradient_on_rows_predicted_with_certainty(gamma, margin):
    model = network().float()
    with torch.no_grad():
        model.bias.copy_(torch.tensor([margin, 0.0, 0.0]))
    batch = replace(BATCH, x=X.float(), y=torch.zeros(5, dtype=torch.long))
    loss = focal(Forward(model, batch), batch, gamma=gamma)
    assert loss.isfinite().all()
    assert all(g.isfinite().all() for g in torch.autograd.grad(loss.sum(), list(model.parameters())))


def test_a_schedule_takes_its_setting():
    forward, schedule = Forward(network(), BATCH), Schedule(loss={"name": "focal", "gamma": 1})
    torch.testing.assert_close(schedule.label_loss(forward, BATCH), focal(forward, BATCH, gamma=1.0))


def test_what_does_not_fit_is_refused():
    with pytest.raises(RecipeError, match="gamma is -1"):
        focal(Forward(network(), BATCH), BATCH, gamma=-1.0)
    wrong = replace(BATCH, y=BATCH.y + 1)
    with pytest.raises(DataError, match="label 3; the model has 3 classes"):
        focal(Forward(network(), wrong), wrong)
