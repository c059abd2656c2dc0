import math

import pytest
import torch
from torch import nn

from corrigible.errors import DataError
from corrigible.explanations import explain
from corrigible.explanations.quality import completeness_gap

X = torch.tensor([[1.0, 2.0], [3.0, -1.0]])


def squares(x):
    return torch.stack([x.square().sum(1), x.sum(1)], dim=1)


def test_hand_worked():
    # Class 0 gains 5 − 2 and 10 − 2 over a baseline of ones; class 1 gains 3 − 2 and 2 − 2.
    attribution = torch.tensor([[1.0, 2.5], [8.0, -1.0]])
    assert completeness_gap(squares, X, 0, attribution, baseline=1.0).tolist() == [0.5, -1.0]
    assert completeness_gap(squares, X, 1, attribution, baseline=1.0).tolist() == [2.5, 7.0]


def test_it_says_by_how_much_an_integral_is_off():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
    few, many = (explain(model, 3 * X, 0, steps=steps, tolerance=math.inf) for steps in (1, 200))
    gap = completeness_gap(model, 3 * X, 0, few)
    torch.testing.assert_close(gap, (few - many).sum(1).double(), atol=1e-4, rtol=0)
    assert bool((gap.abs() > 1e-3).all())


def test_an_attribution_of_another_shape_is_refused():
    with pytest.raises(DataError, match="the attribution has shape"):
        completeness_gap(squares, X, 0, X[:1])
