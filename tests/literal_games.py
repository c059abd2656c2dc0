"""Games written out literally: one row, one coalition, one point at a time."""

from itertools import permutations, product
from math import factorial

import torch
from torch import nn

from corrigible.types import Columns

COLUMNS = Columns(
    ("age", "site=a", "site=b", "site=c", "dose"),
    ("age", "site", "site", "site", "dose"),
    (False, True, True, True, False),
)
LABELS = torch.tensor([0, 1, 1, 1, 2])
"""The features of these columns."""


class Wrapped(nn.Module):
    """Hides that the network is a sequence of layers."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


def smooth_net(inputs=5, seed=0):
    """Begins with a linear layer; float64."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(inputs, 6), nn.Tanh(), nn.Linear(6, 3)).double()


def rows(count, inputs=5, seed=1):
    return torch.randn(count, inputs, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def logit(model, target):
    """The score of one point."""
    return lambda point: model(point[None])[0, target].item()


def mixed(row, other, labels, coalition):
    """The row's values in the coalition's groups, the other's in the rest."""
    point = other.clone()
    for place in range(row.numel()):
        if int(labels.flatten()[place]) in coalition:
            point.view(-1)[place] = row.flatten()[place]
    return point


def filled_value(score, row, labels, coalition, others):
    """The mean score over all rows that can fill in."""
    return sum(score(mixed(row, other, labels, coalition)) for other in others) / len(others)


def conditional_value(score, row, labels, coalition, others):
    """The mean over the nearest √n rows, in standard deviations; over all rows when nothing is present."""
    if not coalition:
        return sum(score(other) for other in others) / len(others)
    deviation = [(others[:, i] - others[:, i].mean()).square().mean().sqrt().item() or 1.0 for i in range(len(row))]

    def distance(other):
        here = [i for i in range(len(row)) if int(labels[i]) in coalition]
        return sum(((row[i] - other[i]).item() / deviation[i]) ** 2 for i in here)

    nearest = sorted(others, key=distance)[: round(len(others) ** 0.5)]
    return filled_value(score, row, labels, coalition, nearest)


def coalitions(num_groups):
    """Every subset of the groups, as a frozen set."""
    return [
        frozenset(g for g in range(num_groups) if chosen[g]) for chosen in product([False, True], repeat=num_groups)
    ]


def shapley_by_orders(value, num_groups):
    """The mean over all orders of what a group adds when it joins."""
    found = [0.0] * num_groups
    for order in permutations(range(num_groups)):
        for place, group in enumerate(order):
            before = frozenset(order[:place])
            found[group] += (value(before | {group}) - value(before)) / factorial(num_groups)
    return found


def spread_over(values, labels):
    """Each group's value shared evenly by its inputs."""
    flat = labels.flatten().tolist()
    return torch.tensor([values[g] / flat.count(g) for g in flat], dtype=torch.float64).reshape(labels.shape)
