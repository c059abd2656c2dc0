"""Outputs from which a second network cannot recover the sensitive attribute."""

import math

import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, RecipeError
from corrigible.metrics import equalized_odds_difference, group_prob_gap
from corrigible.models import mlp
from corrigible.models.forward import Forward
from corrigible.protocols.baselines.adversarial_debiasing import AdversarialLoss, adversarial_debiasing
from corrigible.protocols.schedule import Schedule, result_of
from corrigible.types import Batch

SCHEDULE = Schedule(epochs=10, batch_size=64, learning_rate=0.01)


def rows(num_rows: int = 600) -> TensorData:
    """The label depends on the first column and, by what the second one shows, on the group."""
    generator = torch.Generator().manual_seed(0)
    group = torch.arange(num_rows) % 2
    x = torch.randn(num_rows, 3, generator=generator)
    x[:, 1] = 2.0 * group - 1 + 0.3 * x[:, 1]
    y = (x[:, 0] + 1.2 * (2 * group - 1) + 0.5 * torch.randn(num_rows, generator=generator) > 0).long()
    return TensorData(x, y, group)


def trained(**settings) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = mlp(3, 2, hidden=(16,))
    before = [parameter.clone() for parameter in model.parameters()]
    found = result_of(adversarial_debiasing(model, rows(), schedule=SCHEDULE, **settings))
    assert all(map(torch.equal, before, model.parameters()))
    return found


def figures(model: nn.Module) -> tuple[float, float, float]:
    data, probs = rows(), model(rows().x).softmax(1).detach()
    predicted = probs.argmax(1)
    return (
        float(group_prob_gap(probs, data.group)),
        float(equalized_odds_difference(predicted, data.y, data.group)),
        float((predicted == data.y).double().mean()),
    )


def test_predictions_part_from_the_group_and_with_labels_only_among_rows_of_one_label():
    plain, parity, odds = (
        figures(trained(weight=0.0)),
        figures(trained(weight=5.0)),
        figures(trained(weight=5.0, recovers_from="outputs and labels")),
    )
    assert parity[0] < 0.25 * plain[0] and parity[2] > 0.6
    assert odds[1] < 0.8 * plain[1] and odds[2] > parity[2]


def test_the_loss_is_that_of_the_task_plus_the_nats_that_are_recovered():
    data = rows(40)
    batch = Batch(torch.arange(40), data.x, data.y, group=data.group)
    loss = AdversarialLoss(data.group, torch.empty(40, 0), num_outputs=2, weight=3.0, seed=0)
    model = nn.Linear(3, 2)
    assert loss.entropy == pytest.approx(math.log(2))
    for _ in range(60):  # The discriminator learns; the model stays as it is.
        forward = Forward(model, batch)
        found = loss(forward, batch)
    log_probs = model(data.x).log_softmax(1)
    missed = nn.functional.cross_entropy(loss.discriminator(log_probs), data.group)
    own = nn.functional.cross_entropy(log_probs, data.y, reduction="none")
    recovered = math.log(2) - missed
    assert recovered > 0
    torch.testing.assert_close(found, own + 3 * recovered)


def test_what_does_not_fit_is_refused():
    model, data = mlp(3, 2), rows(20)
    for given, settings, error, message in (
        ((data.x, data.y), {}, DataError, "needs the group of every row"),
        ((data.x, data.y, torch.zeros_like(data.y)), {}, DataError, "of at least two"),
        (data, {"weight": -1.0}, RecipeError, "weight is -1.0"),
    ):
        with pytest.raises(error, match=message):
            next(adversarial_debiasing(model, given, schedule=SCHEDULE, **settings))
