"""A second try in smaller steps, where the first learned all at once; the better on held-out rows is kept."""

from dataclasses import replace

import pytest
import torch

from corrigible import TensorData
from corrigible.estimators.two_tries import SLOWER, trained
from corrigible.models import mlp
from corrigible.models.predictive import all_outputs
from corrigible.protocols.early_stopping import until_flat
from corrigible.protocols.schedule import Schedule, result_of

SPLIT = {"rows": torch.arange(60), "held_out": torch.arange(60, 120)}
SCHEDULE = Schedule(epochs=12, batch_size=20, learning_rate=0.01, optimizer="AdamW")
X = torch.randn(120, 8, generator=torch.Generator().manual_seed(0))
NOISY = TensorData(X, ((X[:, 0] + torch.randn(120, generator=torch.Generator().manual_seed(1))) > 0).long())
EASY = TensorData(X, (X[:, 0] > 0).long())


def network():
    torch.manual_seed(0)
    return mlp(8, 2, hidden=(64,))


def by(data, **changes):
    model = network()
    found = result_of(until_flat(model, data, replace(SCHEDULE, **changes), patience=12, **SPLIT))
    return model, found


def kept(data, rate=0.01):
    model = network()
    schedule = replace(SCHEDULE, learning_rate=rate)
    return model, trained(model, data, schedule, decay_of_second=1.0, patience=12, **SPLIT)


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.001])
def test_the_better_of_both_tries_is_kept(rate):
    model, found = kept(NOISY, rate)
    first, second = by(NOISY, learning_rate=rate)[1], by(NOISY, learning_rate=SLOWER * rate, weight_decay=1.0)[1]
    expected = first if first.best_epoch > 8 else min(first, second, key=lambda tried: min(tried.held_out_losses))
    assert found == expected
    outputs = all_outputs(model, X[60:])
    assert float(NOISY.task.loss(outputs, NOISY.y[60:], {}).mean()) == pytest.approx(min(found.held_out_losses))


def test_both_outcomes_occur_and_what_still_improves_is_tried_once():
    assert kept(NOISY, 0.1)[1] != by(NOISY, learning_rate=0.1)[1]
    assert by(NOISY, learning_rate=0.01)[1].best_epoch <= 8
    _, once = by(EASY, learning_rate=0.002)
    assert once.best_epoch > 8 and kept(EASY, 0.002)[1] == once
    without = trained(
        network(), EASY, SCHEDULE, decay_of_second=1.0, patience=12, rows=SPLIT["rows"], held_out=torch.arange(0)
    )
    assert not without.held_out_losses
