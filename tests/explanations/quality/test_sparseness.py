import pytest
import torch

from corrigible.explanations.quality import sparseness


def slow_gini(values):
    """Mean distance between two inputs drawn with replacement, over twice their mean."""
    size = [abs(value) for value in values]
    pairs = sum(abs(a - b) for a in size for b in size) / len(size) ** 2
    return pairs / (2 * sum(size) / len(size))


def test_equals_the_mean_difference_between_inputs():
    attribution = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    attribution[2] = attribution[2].round()
    assert sparseness(attribution).tolist() == pytest.approx([slow_gini(row.flatten().tolist()) for row in attribution])


def test_by_hand():
    rows = torch.tensor([[2.0, -2.0, 2.0, 2.0], [0.0, 0.0, -9.0, 0.0], [1.0, 3.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    # Row 2: 1 − 2 · (1 · 1.5/4 + 3 · 0.5/4) / 4; row 3 has no attribution.
    expected = torch.tensor([0.0, 0.75, 0.625, torch.nan], dtype=torch.float64)
    torch.testing.assert_close(sparseness(rows), expected, equal_nan=True)
