"""Noise of the asked size, from the generator alone."""

import pytest
import torch
from torch import nn

from corrigible.augment import input_noise
from corrigible.errors import RecipeError
from corrigible.types import Batch

BATCH = Batch(torch.arange(100), torch.ones(100, 50), torch.zeros(100).long())


def test_noise_has_the_deviation_and_the_mean_stays():
    found = input_noise(nn.Linear(50, 2), BATCH, torch.Generator().manual_seed(0), deviation=0.5)
    assert abs(found.x.std().item() - 0.5) < 0.02
    assert abs(found.x.mean().item() - 1) < 0.03
    again = input_noise(nn.Linear(50, 2), BATCH, torch.Generator().manual_seed(0), deviation=0.5)
    assert torch.equal(found.x, again.x)
    assert bool((BATCH.x == 1).all())


def test_a_deviation_below_0_is_refused():
    with pytest.raises(RecipeError, match="deviation is -1"):
        input_noise(nn.Linear(50, 2), BATCH, torch.Generator(), deviation=-1.0)
