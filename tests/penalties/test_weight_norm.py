"""The size of weights."""

import pytest
import torch
from torch import nn

from corrigible.errors import UnsupportedModelError
from corrigible.models.forward import Forward
from corrigible.penalties import weight_norm
from corrigible.types import Batch

BATCH = Batch(torch.arange(2), torch.zeros(2, 2), torch.tensor([0, 1]))
EXPECTED = {
    ("l1", None): (1 + 2 + 0 + 4 + 3 + 5) / 6,
    ("l2", None): (1 + 4 + 0 + 16 + 9 + 25) / 6,
    ("linf", None): (4 + 5) / 2,
    ("l1", ("2",)): 4.0,
    ("l2", ("2",)): 17.0,
    ("linf", ("0", "2")): 4.5,
}


def network():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, -2.0], [0.0, -4.0]]))
        model[2].weight.copy_(torch.tensor([[3.0, 5.0]]))
    return model


@pytest.mark.parametrize(("norm", "layers"), EXPECTED)
def test_is_by_its_definition(norm, layers):
    found = weight_norm(Forward(network(), BATCH), BATCH, norm=norm, layers=layers)
    assert found.item() == pytest.approx(EXPECTED[norm, layers])


def test_a_shared_matrix_counts_once():
    model = network()
    model.append(nn.Linear(1, 1)).append(model[2])
    with torch.no_grad():
        model[3].weight.fill_(9.0)
    found = weight_norm(Forward(model, BATCH), BATCH, norm="l1", layers=("2", "3", "4"))
    assert found.item() == pytest.approx((3 + 5 + 9) / 3)


def test_what_has_no_weights_is_refused():
    forward = Forward(network(), BATCH)
    with pytest.raises(UnsupportedModelError, match="no layer '7'; this model has 0, 1, 2"):
        weight_norm(forward, BATCH, layers=["7"])
    with pytest.raises(UnsupportedModelError, match=r"no matrix of weights in \['1'\]"):
        weight_norm(forward, BATCH, layers=["1"])
