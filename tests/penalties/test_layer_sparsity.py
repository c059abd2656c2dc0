"""The weakest units of each layer, more of them in deeper layers."""

import math

import pytest
import torch

from corrigible.errors import RecipeError
from corrigible.models import mlp
from corrigible.models.forward import Forward
from corrigible.penalties import layer_sparsity
from corrigible.types import Batch

X = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
BATCH = Batch(torch.arange(5), X, torch.tensor([0, 1, 1, 0, 1]))


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return mlp(4, 2, hidden=(10, 8, 6)).double()


@pytest.mark.parametrize(
    ("settings", "counts"),
    [
        ({}, [1, 1, 1]),
        ({"share_per_layer": 0.2}, [2, 3, 3]),
        ({"share_per_layer": 0.4, "growth": 2.0}, [4, 4, 3]),
        ({"share_per_layer": 1.0, "most": 1.0, "growth": 0.0}, [10, 8, 6]),
    ],
)
def test_is_by_its_definition(settings, counts):
    model, terms, weights = network(), [], []
    for number, count in enumerate(counts, start=1):
        rows = [[abs(a) for a in row] for row in model[: 2 * number + 1](X).tolist()]
        means = [math.fsum(row[unit] for row in rows) for unit in range(len(rows[0]))]
        weak = sorted(range(len(means)), key=lambda unit: means[unit])[:count]
        shares = [math.fsum(row[unit] for unit in weak) / math.fsum(row) for row in rows]
        weights.append(math.exp(min(settings.get("growth", 0.5) * number, 3)))
        terms.append(weights[-1] * math.fsum(shares) / len(rows))
    found = layer_sparsity(Forward(model, BATCH), BATCH, **settings)
    assert found.item() == pytest.approx(math.fsum(terms) / math.fsum(weights), rel=1e-12)


def test_smaller_activations_with_larger_next_weights_are_no_gain():
    model = network()
    before = layer_sparsity(Forward(model, BATCH), BATCH, share_per_layer=0.2)
    with torch.no_grad():
        model[1].weight.mul_(0.1)
        model[1].bias.mul_(0.1)
        model[3].weight.mul_(10)
    torch.testing.assert_close(layer_sparsity(Forward(model, BATCH), BATCH, share_per_layer=0.2), before)


@pytest.mark.parametrize("settings", [{"share_per_layer": 0.0}, {"most": 1.5}, {"growth": -1.0}])
def test_shares_that_are_none_are_refused(settings):
    with pytest.raises(RecipeError, match=f"{next(iter(settings))} is {next(iter(settings.values()))}"):
        layer_sparsity(Forward(network(), BATCH), BATCH, **settings)
