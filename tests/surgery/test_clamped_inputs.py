"""A clamped network answers any row as one within the range of its training rows, and those as before."""

import torch
from torch import nn

from corrigible.models.weights import read_weights, save_weights
from corrigible.surgery import ClampedInputs, clamped_inputs


def test_the_answer_is_that_of_the_nearest_row_within_the_range():
    torch.manual_seed(0)
    network, x = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2)), torch.randn(50, 3)
    clamped = clamped_inputs(network, (x, torch.arange(50) % 2))
    assert torch.equal(clamped(x), network(x))
    far = torch.tensor([[1e6, -1e6, 0.0], [torch.inf, 0.1, -torch.inf]])
    ends = torch.stack([x[:, 0].max(), x[:, 1].min(), torch.tensor(0.0)])
    other = torch.stack([x[:, 0].max(), torch.tensor(0.1), x[:, 2].min()])
    assert torch.equal(clamped(far), network(torch.stack([ends, other])))
    assert clamped(torch.full((1, 3), torch.nan)).isnan().all()
    assert clamped.network is not network


def test_the_range_is_kept_with_the_weights(tmp_path):
    network = nn.Linear(2, 2)
    clamped = clamped_inputs(network, (torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.tensor([0, 1])))
    save_weights(clamped, tmp_path / "weights.safetensors")
    again = ClampedInputs(nn.Linear(2, 2), torch.zeros(2), torch.zeros(2))
    again.load_state_dict(read_weights(tmp_path / "weights.safetensors"))
    x = torch.randn(5, 2) * 10
    assert torch.equal(again(x), clamped(x))
