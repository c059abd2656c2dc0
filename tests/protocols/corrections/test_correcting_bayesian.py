"""A Bayesian network is corrected by evidence at weight 1, and stays one."""

import torch

from corrigible import Feedback, TensorData, correct, train
from corrigible.models import mlp
from corrigible.models.bayes import bayesian, bayesian_layers
from corrigible.models.predictive import predictive


def test_evidence_corrects_a_network_that_went_by_a_cue():
    torch.manual_seed(0)
    y = torch.arange(96) % 2
    x = torch.stack([4.0 * y - 2, y - 0.5 + 0.15 * torch.randn(96)], dim=1)
    fooled = train(mlp(2, 2, hidden=(8,)), TensorData(x, y), epochs=5, learning_rate=0.02)
    said = [Feedback(torch.tensor([True, False]).numpy(), row=row) for row in range(8)]
    penalties = {"kl_divergence": {"weight": 1.0, "temperature": 0.1}, "no_change_evidence": 1.0}
    model = bayesian(fooled, prior_std=1.0)
    corrected = correct(model, TensorData(x, y), said, penalties=penalties, epochs=12, learning_rate=0.02)
    swapped = torch.stack([x[:, 0].roll(1), x[:, 1]], dim=1)

    def accuracy(network: torch.nn.Module) -> float:
        return float((network.eval()(swapped).argmax(1) == y).float().mean())

    assert accuracy(fooled) < 0.2
    assert accuracy(corrected) > 0.9
    assert corrected.verdict is not None
    assert [name for name, _ in bayesian_layers(corrected)] == ["1", "3"]
    assert predictive(corrected, swapped, samples=4).mutual_information.mean() > 0
