"""The mean of a network's weights over its last steps."""

import torch
from torch import nn

from corrigible.protocols.averaging import DECAY, LATEST, RunningMean


def test_the_mean_is_that_of_its_definition():
    network = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1)).double()
    average, expected = RunningMean(network), network[0].weight.detach().clone()
    for step in range(1, 1201):
        with torch.no_grad():
            network[0].weight += step
        average.add()
        share = max(1 - DECAY, LATEST / (LATEST + step))
        expected = (1 - share) * expected + share * network[0].weight.detach()
    torch.testing.assert_close(average.mean[0].weight, expected)


def test_weights_that_stay_are_their_mean_and_statistics_are_the_latest():
    network = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    average = RunningMean(network)
    network(torch.randn(8, 2))
    average.add()
    found = average.mean.state_dict()
    assert all(torch.equal(found[name], values) for name, values in network.state_dict().items())


def test_each_step_is_counted():
    network = nn.Linear(1, 1)
    average = RunningMean(network)
    step = average.after(lambda num_steps: lambda optimizer, objective: objective())(3)
    assert [step(None, lambda: "objective") for _ in range(3)] == ["objective"] * 3 and average.num_steps == 3
