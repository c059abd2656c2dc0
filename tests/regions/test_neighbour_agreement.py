"""How surely a region predicts the label, against the definition written out."""

import torch

from corrigible.regions import neighbour_agreement as module
from corrigible.regions.neighbour_agreement import neighbour_agreement

ALL = torch.ones(3, dtype=torch.bool)


def slowly(x: torch.Tensor, y: torch.Tensor, k: int) -> list[float]:
    found = []
    for row in range(len(x)):
        others = [other for other in range(len(x)) if other != row]
        apart = {other: float((x[row] - x[other]).double().norm()) for other in others}
        farthest = sorted(apart.values())[k - 1]
        near = [other for other in others if apart[other] <= farthest]
        agreeing = sum(int(y[row] == y[other]) for other in near) / len(near)
        chance = sum(int(y[row] == y[other]) for other in others) / len(others)
        found.append((agreeing - chance) / (1 - chance))
    return found


def test_it_is_the_definition_written_out_also_with_ties(monkeypatch):
    monkeypatch.setattr(module, "NUM_NEIGHBOURS", 3)
    x = torch.randint(3, (25, 3), generator=torch.Generator().manual_seed(0)).float()
    y = torch.randint(3, (25,), generator=torch.Generator().manual_seed(1))
    expected = torch.tensor(slowly(x, y, 3))
    assert torch.allclose(neighbour_agreement(x, y, ALL).float(), expected, atol=1e-6)
    assert torch.allclose(neighbour_agreement(x, y, ALL, num_rows=7).float(), expected[:7], atol=1e-6)


def test_what_gives_the_label_away_tells_1_and_what_is_blank_tells_nothing():
    y = torch.arange(90) % 3
    x = torch.zeros(90, 3)
    x[:, 1] = y.float()
    assert neighbour_agreement(x, y, torch.tensor([False, True, False])).tolist() == [1.0] * 90
    assert neighbour_agreement(x, y, torch.tensor([True, False, True])).abs().max() < 1e-12
    assert neighbour_agreement(x, torch.zeros(90, dtype=torch.long), ALL).abs().max() == 0
