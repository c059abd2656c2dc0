"""Pairs of features that a network combines most."""

import pytest
import torch
from torch import nn

from corrigible.errors import DataError
from corrigible.explanations.strongest_interactions import strongest_interactions
from corrigible.tasks import task_named
from corrigible.types import Columns

NAMES = ("a", "b", "c=1", "c=2", "d")
COLUMNS = Columns(NAMES, ("a", "b", "c", "c", "d"), (False, False, True, True, False))
AMOUNTS = task_named("amounts", torch.tensor([1.0, 2.0]))


class Formula(nn.Module):
    """3 ab + 2 (c=1) d + a² + |b|, and nothing else together."""

    def __init__(self):
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))

    def forward(self, x):
        a, b, c, _, d = x.unbind(1)
        return (self.one * (3 * a * b + 2 * c * d + a.square() + b.abs()))[:, None]


def test_mixed_differences_by_their_definition():
    hot = torch.eye(2)[torch.arange(50) % 2]
    x = torch.cat([torch.randn(50, 2, generator=torch.Generator().manual_seed(0)), hot, torch.randn(50, 1)], dim=1)
    found = strongest_interactions(Formula(), x, COLUMNS, task=AMOUNTS, num_rows=1000)
    values = {(row.feature, row.other): row.interaction for row in found.itertuples()}
    assert len(values) == 6 + 3 and found.interaction.is_monotonic_decreasing
    generator = torch.Generator().manual_seed(0)
    rows, others = x[torch.randperm(50, generator=generator)], x[torch.randint(50, (50,), generator=generator)]
    way = (others - rows).double()
    assert values["a", "b"] == pytest.approx(float(3 * (way[:, 0] * way[:, 1]).abs().mean()), rel=1e-5)
    assert values["c", "d"] == pytest.approx(float(2 * (way[:, 2] * way[:, 4]).abs().mean()), rel=1e-5)
    assert values["a", "a"] == pytest.approx(float(way[:, 0].square().mean()), rel=1e-5)
    assert values["b", "b"] > 0.01
    assert max(values["a", "c"], values["b", "d"], values["d", "d"]) < 1e-5


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match=r"x is of shape \(1, 5\); expected 2 rows or more of 5 columns"):
        strongest_interactions(Formula(), torch.zeros(1, 5), COLUMNS, task=AMOUNTS)
