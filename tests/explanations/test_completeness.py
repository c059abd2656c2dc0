"""A path attribution that does not sum to the gain in score is refused, beyond a tolerance."""

import math

import pytest
import torch
from torch import nn

from corrigible.errors import RecipeError
from corrigible.explanations import explain


class Cliff(nn.Module):
    """Rises from 0 to 1 at a sum of 4.1, within a hundredth."""

    def forward(self, x):
        return torch.sigmoid(300 * (x.sum(dim=1, keepdim=True) - 4.1))


ROWS = torch.full((3, 7), 1.5)


def test_a_sum_that_is_not_the_gain_is_refused_with_both():
    with pytest.raises(RecipeError, match=r"row 0 sum to 0\.78\d*, but its score differs .* by 1 \(3 such.*more steps"):
        explain(Cliff(), ROWS)


def test_more_steps_or_a_larger_tolerance_help():
    assert explain(Cliff(), ROWS, steps=2000).sum(1) == pytest.approx(1, abs=0.02)
    assert explain(Cliff(), ROWS, tolerance=0.3).sum(1) == pytest.approx(0.78, abs=0.01)
    assert explain(Cliff(), ROWS, tolerance=math.inf).shape == ROWS.shape


def test_a_row_on_which_little_happens_need_not_be_exact():
    rows = torch.cat([ROWS * 0.5, ROWS])
    model = nn.Sequential(nn.Linear(7, 8), nn.Tanh(), nn.Linear(8, 2))
    explain(model, torch.cat([rows, 1e-6 * rows]), 0, steps=8)


@pytest.mark.parametrize("tolerance", [-0.1, math.nan])
def test_a_tolerance_is_at_least_0(tolerance):
    with pytest.raises(RecipeError, match="tolerance is"):
        explain(Cliff(), ROWS, tolerance=tolerance)
