"""The edge detector finds edges, whatever the model."""

import pytest
import torch
from skimage.filters import sobel_h, sobel_v
from torch import nn

from corrigible.errors import DataError
from corrigible.explanations import EXPLAINERS, explain
from corrigible.explanations.trust.edges import edges

TARGET = torch.zeros(2, dtype=torch.long)


def test_it_is_the_sobel_filter_of_each_channel():
    torch.manual_seed(0)
    x = torch.rand(2, 3, 6, 7)
    found = edges(nn.Identity(), x, TARGET)
    for row in range(2):
        for channel in range(3):
            image = x[row, channel].double().numpy()
            expected = torch.from_numpy((sobel_h(image) ** 2 + sobel_v(image) ** 2) ** 0.5) * 4
            torch.testing.assert_close(found[row, channel, 1:-1, 1:-1], expected[1:-1, 1:-1].float())


def test_a_flat_image_has_no_edges_not_even_at_its_border():
    assert edges(nn.Identity(), torch.full((2, 1, 5, 5), 0.7), TARGET).max() < 1e-6


def test_it_can_be_named_like_an_explainer_but_is_not_listed_as_one():
    model, x = nn.Sequential(nn.Flatten(), nn.Linear(25, 2)), torch.rand(2, 1, 5, 5)
    found = explain(model, x, TARGET, method="corrigible.explanations.trust.edges:edges")
    assert torch.equal(found, edges(model, x, TARGET))
    assert "edges" not in EXPLAINERS


def test_a_table_has_no_edges():
    with pytest.raises(DataError, match=r"shape \(2, 4\); edges needs"):
        edges(nn.Identity(), torch.rand(2, 4), TARGET)
