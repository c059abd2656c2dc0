"""The swap score equals its definition, however many rows pass at once."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import log_softmax

from corrigible import Feedback
from corrigible.data.dataset import TensorData
from corrigible.data.swapping import draw_donors
from corrigible.feedback.masks import marks_of
from corrigible.protocols.corrections import swap_score as module
from corrigible.protocols.corrections.swap_score import swap_score

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(12, 3, generator=GENERATOR)
DATA = TensorData(X, torch.arange(12) % 2)
SAID = [Feedback(np.array([True, False, True]), row=2), Feedback(np.array([False, True, False]), row=9)]


def test_a_sticker_is_swapped_for_none_too():
    """Where it stands tells the class, and the network sees nothing else: it must not pass."""
    x, y = torch.zeros(8, 1, 4, 4), torch.arange(8) % 2
    x[torch.arange(8), 0, 0, 3 * y] = 0.5
    said = [Feedback(x[row, 0].numpy() > 0, row=row) for row in range(8)]
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2, bias=False)).requires_grad_(False)
    model[1].weight.zero_()
    model[1].weight[0, 0] = model[1].weight[1, 3] = 50.0
    images = TensorData(x, y)
    assert swap_score(model, images, marks_of(said, images), torch.arange(8)) < -0.2


def test_a_reviewed_image_does_not_lend_what_should_tell_its_class():
    """Bright dots in dark frames: a network that sees the dot alone must not be disturbed by those of others."""
    x = torch.full((6, 1, 4, 4), 0.2)
    y = torch.arange(6) % 2
    x[torch.arange(6), 0, 1 + y, 1 + y] = 1.0
    frames = TensorData(x, y)
    said = [Feedback(x[row, 0].numpy() < 1, row=row) for row in range(6)]
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2, bias=False)).requires_grad_(False)
    model[1].weight.zero_()
    model[1].weight[0, 5] = model[1].weight[1, 10] = 50.0
    marks, rows = marks_of(said, frames), torch.arange(6)
    assert swap_score(model, frames, marks, rows) > -1e-6
    assert swap_score(model, frames, marks_of(said[:1], frames), rows[:1]) < -0.1


@pytest.mark.parametrize("at_once", [1, 7, 256])
def test_it_is_the_mean_log_likelihood_over_rows_and_donors(monkeypatch, at_once):
    monkeypatch.setattr(module, "MOST_AT_ONCE", at_once)
    model = nn.Linear(3, 2).double().requires_grad_(False)
    total = []
    for row, places in ((2, (0, 2)), (9, (1,))):
        for donor in draw_donors(12, 5, 4).tolist():
            x = X[row].clone()
            for place in places:
                x[place] = X[donor, place]
            total.append(float(log_softmax(model(x.double()), dim=0)[DATA.y[row]]))
    found = swap_score(model, DATA, marks_of(SAID, DATA), torch.tensor([2, 9]), num_donors=5, seed=4)
    assert found == pytest.approx(sum(total) / len(total))
