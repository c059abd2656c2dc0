"""The size of activations."""

import math

import pytest
import torch
from torch import nn

from corrigible.errors import UnsupportedModelError
from corrigible.models import mlp
from corrigible.models.forward import Forward
from corrigible.penalties import activation_norm
from corrigible.types import Batch

X = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
BATCH = Batch(torch.arange(3), X, torch.tensor([0, 1, 1]))


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return mlp(4, 2, hidden=(5, 3)).double()


@pytest.mark.parametrize("layers", [None, ["4"], ["4", "2"]])
@pytest.mark.parametrize("norm", ["l1", "l2", "linf"])
def test_is_by_its_definition(norm, layers):
    model, of_layers = network(), []
    for layer in layers or ["2", "4"]:
        rows = [[abs(number) for number in row] for row in model[: int(layer) + 1](X).tolist()]
        sizes = {
            "l1": [math.fsum(row) / len(row) for row in rows],
            "l2": [math.fsum(a * a for a in row) / len(row) for row in rows],
            "linf": [max(row) for row in rows],
        }
        of_layers.append(math.fsum(sizes[norm]) / len(rows))
    found = activation_norm(Forward(model, BATCH), BATCH, norm=norm, layers=layers)
    assert found.item() == pytest.approx(math.fsum(of_layers) / len(of_layers), rel=1e-12)


def test_what_does_not_run_is_refused():
    forward = Forward(network(), BATCH)
    with pytest.raises(UnsupportedModelError, match="no layer '9' in this pass; it has 0, 1, 2"):
        activation_norm(forward, BATCH, layers=["9"])
    with pytest.raises(UnsupportedModelError, match="layers is empty"):
        activation_norm(forward, BATCH, layers=[])
    with pytest.raises(UnsupportedModelError, match="is a layer of its own; name layers .*it has 0"):
        activation_norm(Forward(nn.Sequential(nn.Linear(4, 2)).double(), BATCH), BATCH)
