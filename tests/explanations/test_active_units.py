"""Which units are active, and which classes share them."""

import pytest
import torch
from torch import nn

from corrigible.errors import DataError, UnsupportedModelError
from corrigible.explanations.active_units import active_unit_overlap, active_units


def test_a_unit_is_active_above_a_twentieth_of_the_rows_strongest():
    x = torch.tensor([[1.0, 0.04, -0.06], [0.0, 2.0, 0.2], [0.0, 0.0, 0.0]])
    model = nn.Sequential(nn.Identity(), nn.Linear(3, 2))
    found = active_units(model, x, layer="0", rows_at_once=2)
    assert found.tolist() == [[True, False, True], [False, True, True], [False, False, False]]


def test_a_channel_is_active_by_the_mean_over_its_positions():
    x = torch.zeros(1, 2, 5, 5)
    x[0, 0], x[0, 1, 0, 0] = 1.0, -1.0
    model = nn.Sequential(nn.Identity(), nn.Flatten(), nn.Linear(50, 2))
    assert active_units(model, x, layer="0").tolist() == [[True, False]]
    with pytest.raises(UnsupportedModelError, match="no layer '7' in this pass"):
        active_units(model, x, layer="7")


def test_overlap_is_the_mean_jaccard_index_of_the_classes():
    rows = [[1, 1, 0, 0], [1, 1, 0, 1], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1]]
    y = torch.tensor([0, 0, 0, 1, 2, 2])
    found = active_unit_overlap(torch.tensor(rows).bool(), y)
    assert found.item() == pytest.approx((1 / 3 + 0 + 0) / 3)
    with pytest.raises(DataError, match="rows are of 1 class; expected rows of at least two"):
        active_unit_overlap(torch.tensor(rows).bool(), torch.zeros(6).long())
