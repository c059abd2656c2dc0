"""Rewritten networks compute the same and are put together otherwise."""

import pytest
import torch
from torch import nn

from corrigible.explanations.trust.equivalent_networks import equivalent_networks

torch.manual_seed(0)
NETS = {
    "table": (
        nn.Sequential(
            nn.Linear(4, 6), nn.ReLU(), nn.Dropout(), nn.Linear(6, 5, bias=False), nn.SiLU(), nn.Linear(5, 3)
        ),
        torch.randn(7, 4),
    ),
    "images": (
        nn.Sequential(
            nn.Sequential(
                nn.Conv2d(2, 4, 3), nn.LeakyReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 3, 2, bias=False), nn.ReLU()
            ),
            nn.Flatten(),
            nn.Linear(12, 3),
        ),
        torch.randn(7, 2, 8, 8),
    ),
}
ALL = {
    "hidden units in another order",
    "hidden units split in two",
    "hidden units rescaled",
    "layers that do nothing",
    "input as the difference of two ReLUs",
}


@pytest.mark.parametrize("net", NETS)
def test_a_rewritten_network_computes_the_same(net):
    model, x = NETS[net]
    expected = model.double().eval()(x.double())
    found = dict(equivalent_networks(model))
    assert found.keys() == ALL
    for other in found.values():
        torch.testing.assert_close(other(x.double()), expected)


@pytest.mark.parametrize("net", NETS)
def test_every_rewriting_changes_the_network(net):
    model, _ = NETS[net]
    layers = [type(module) for module in model.modules()]
    weights = [p.clone() for p in model.parameters()]
    for other in dict(equivalent_networks(model)).values():
        same_layers = [type(module) for module in other.modules()] == layers
        new = list(other.parameters())
        assert not same_layers or any(
            a.shape != b.shape or not torch.equal(a, b) for a, b in zip(weights, new, strict=True)
        )


def test_units_are_split_three_to_seven():
    model = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
    split = dict(equivalent_networks(model))["hidden units split in two"]
    assert split[0].weight.tolist() == model[0].weight.tolist() * 2
    torch.testing.assert_close(split[2].weight, model[2].weight * torch.tensor([0.3, 0.7]))


def test_a_network_that_is_rewritten_is_left_as_it_was():
    model, x = NETS["table"]
    before = model.eval()(x.to(model[0].weight))
    list(equivalent_networks(model))
    assert torch.equal(model(x.to(model[0].weight)), before)
    assert len(model) == 6


def test_what_lies_in_no_sequence_or_is_used_twice_is_only_put_behind_relus():
    shared = nn.Linear(3, 3)
    model = nn.Sequential(shared, nn.ReLU(), shared, nn.BatchNorm1d(3), nn.Linear(3, 2))
    names = [name for name, other in equivalent_networks(model)]
    assert "hidden units split in two" not in names
    for _, other in equivalent_networks(model.eval()):
        torch.testing.assert_close(other(torch.ones(2, 3)), model(torch.ones(2, 3)))
