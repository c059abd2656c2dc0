"""A gradient is believed only where the score changes as it says."""

import logging
from itertools import pairwise

import pytest
import torch
from torch import nn

from corrigible.explanations import explain
from corrigible.explanations.explaining import WITHOUT_SUMS

X = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))


class TwoParts(nn.Module):
    """A network whose second part, of the same inputs, may have no gradient."""

    def __init__(self, second):
        super().__init__()
        torch.manual_seed(1)
        self.first, self.other = (nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)) for _ in range(2))
        self.second = second

    def forward(self, x):
        return self.first(x) + self.second(self.other, x)


@torch.no_grad()
def frozen(network, x):
    return 3 * network(x)


CUTS = {
    "no_grad": frozen,
    "detached": lambda network, x: 3 * network(x.detach()),
}
WHOLE = {
    "open": lambda network, x: 3 * network(x),
    "straight through": lambda network, x: network(x + ((20 * x).round() / 20 - x).detach()),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("method", WITHOUT_SUMS)
def test_a_part_without_a_gradient_beside_one_with_is_told_once(method, cut, caplog):
    model = TwoParts(CUTS[cut])
    for _ in range(2):
        explain(model, X, 0, method=method)
    (said,) = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert f"{method!r} follows gradients, but along them the score changes" in said and "kernel_shap" in said


@pytest.mark.parametrize("seed", range(6))
def test_half_of_a_wide_network_without_a_gradient_is_told(seed, caplog):
    torch.manual_seed(seed)
    halves = [nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 3)) for _ in range(2)]
    model = TwoParts(lambda _, x: 2 * halves[0](x).detach())
    model.first, model.other = halves[1], halves[0]
    explain(model, torch.randn(60, 10), torch.randint(0, 3, (60,)), method="input_gradient")
    assert "times as much as they say" in caplog.text


@pytest.mark.parametrize(("offset", "spread"), [(1e5, 10.0), (1e4, 1.0), (1e6, 100.0), (0.0, 1e-3)])
def test_inputs_far_from_0_raise_no_doubt(offset, spread, caplog):
    torch.manual_seed(2)
    x = torch.randn(200, 5) * spread + offset
    norm = nn.BatchNorm1d(5, momentum=1.0)
    norm(x)
    model = nn.Sequential(norm, nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 2)).eval()
    explain(model, x, 0, method="input_gradient")
    assert caplog.records == []


@pytest.mark.parametrize("seed", range(5))
def test_saturated_rows_raise_no_doubt(seed, caplog):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 2))
    with torch.no_grad():
        model[0].weight.mul_(100)
        model[2].weight.mul_(100)
    explain(model, torch.randn(20, 8), 0, method="input_gradient", score="target_prob")
    assert "times as much" not in caplog.text


@pytest.mark.parametrize("part", WHOLE)
def test_two_parts_with_a_gradient_each_raise_no_doubt(part, caplog):
    explain(TwoParts(WHOLE[part]), X, 0, method="input_gradient")
    assert caplog.records == []


@pytest.mark.parametrize("score", ["target_logit", "target_log_prob", "target_prob", "margin"])
def test_gradients_of_every_kind_of_network_raise_no_doubt(case, score, caplog):
    for model, x in ((case.model, case.batch.x), (case.model.float(), case.batch.x.float())):
        explain(model, x, case.batch.y, method="input_gradient", score=score)
    case.model.double()
    assert caplog.records == []


@pytest.mark.parametrize("width", [8, 128])
@pytest.mark.parametrize("seed", range(4))
def test_kinks_of_deep_networks_raise_no_doubt(seed, width, caplog):
    torch.manual_seed(seed)
    sizes = (20, *[width] * 6)
    layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
    model = nn.Sequential(*layers, nn.Linear(width, 3))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    explain(model, torch.randn(16, 20), 0, method="gradient_x_input")
    assert caplog.records == []
