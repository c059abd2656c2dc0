"""The edge detector finds edges, whatever the model."""

import pytest
import torch
from skimage.filters import sobel_h, sobel_v
from torch import nn

from corrigible.errors import DataError
from corrigible.explanations import EXPLAINERS, explain
from corrigible.explanations.trust.edge_detector import edge_detector

TARGET = torch.zeros(2, dtype=torch.long)


def test_it_is_the_sobel_filter_of_each_channel():
    torch.manual_seed(0)
    x = torch.rand(2, 3, 6, 7)
    found = edge_detector(nn.Identity(), x, TARGET)
    for row in range(2):
        for channel in range(3):
            image = x[row, channel].double().numpy()
            expected = torch.from_numpy((sobel_h(image) ** 2 + sobel_v(image) ** 2) ** 0.5) * 4
            torch.testing.assert_close(found[row, channel, 1:-1, 1:-1], expected[1:-1, 1:-1].float())


def test_a_flat_image_has_no_edges_not_even_at_its_border():
    assert edge_detector(nn.Identity(), torch.full((2, 1, 5, 5), 0.7), TARGET).max() < 1e-6


@pytest.mark.parametrize("name", ["edge_detector:edge_detector", "edges:edges"])
def test_it_can_be_named_like_an_explainer_also_as_before_but_is_not_listed_as_one(name):
    model, x = nn.Sequential(nn.Flatten(), nn.Linear(25, 2)), torch.rand(2, 1, 5, 5)
    found = explain(model, x, TARGET, method=f"corrigible.explanations.trust.{name}")
    assert torch.equal(found, edge_detector(model, x, TARGET))
    assert "edge_detector" not in EXPLAINERS


def test_a_table_has_no_edges():
    with pytest.raises(DataError, match=r"shape \(2, 4\); edge_detector needs"):
        edge_detector(nn.Identity(), torch.rand(2, 4), TARGET)
