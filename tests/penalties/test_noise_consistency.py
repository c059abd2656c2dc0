"""Log-probabilities must not move when marked inputs do."""

import torch
from torch import nn

from corrigible.models.forward import Forward
from corrigible.penalties.noise_consistency import noise_consistency
from corrigible.types import Batch


def batch():
    marked = torch.tensor([[True, False, False], [False, False, False], [True, True, False]])
    x = torch.randn(3, 3, generator=torch.Generator().manual_seed(1)).double()
    return Batch(torch.arange(3), x, torch.tensor([0, 1, 1]), marked)


def test_is_the_mean_squared_change_on_marked_rows():
    rows = batch()
    model = nn.Linear(3, 2).double()
    changed = rows.x.clone()
    changed[0, 0], changed[2, 0], changed[2, 1] = 5.0, 5.0, 6.0
    squared = (model(rows.x).log_softmax(1) - model(changed).log_softmax(1)).square()
    found = noise_consistency(Forward(model, rows), rows, donors=torch.tensor([[5.0, 6.0, 7.0]]).double())
    torch.testing.assert_close(found, squared[[0, 2]].mean())


def test_dropout_adds_nothing_to_a_model_that_ignores_the_marks():
    rows = batch()
    model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 2)).double().train()
    with torch.no_grad():
        model[0].weight[:, :2] = 0
    for fill in ("other_rows", "noise"):
        assert noise_consistency(Forward(model, rows), rows, fill=fill) == 0
    assert model[1].training


def test_following_it_makes_the_model_leave_the_marked_inputs():
    rows = batch()
    torch.manual_seed(0)
    model = nn.Linear(3, 2).double()
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    gap = (model.weight[0] - model.weight[1]).abs().tolist()
    for seed in range(200):
        optimizer.zero_grad()
        noise_consistency(Forward(model, rows, seed=seed), rows, fill="noise").backward()
        optimizer.step()
    left = (model.weight[0] - model.weight[1]).abs().tolist()
    assert max(left[:2]) < 0.02 < max(gap[:2])
