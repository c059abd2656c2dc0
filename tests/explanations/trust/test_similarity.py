"""Likeness of attributions against hand-worked tables and the library they come from."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity as skimage_similarity

from corrigible.errors import DataError
from corrigible.explanations.trust.similarity import (
    compared,
    mean_over_rows,
    squared_difference,
    structural_similarity,
)


def test_the_squared_difference_is_blind_to_scale_and_tells_sign():
    first = torch.tensor([[1.0, -2.0, 2.0]])
    for other, expected in (
        (3 * first, 0.0),
        (-first, 4.0),
        (torch.zeros(1, 3), 1.0),
        (torch.tensor([[2.0, 1, 0]]), 2.0),
    ):
        assert squared_difference(first, other).item() == pytest.approx(expected, abs=1e-6)


def test_structural_similarity_of_each_row_is_that_of_its_summed_and_scaled_maps():
    torch.manual_seed(0)
    first, second = torch.rand(3, 2, 9, 8), torch.rand(3, 2, 9, 8)
    for row, found in enumerate(structural_similarity(first, second).tolist()):
        maps = [values[row].sum(0).double().numpy() for values in (first, second)]
        expected = skimage_similarity(*(m / m.max() for m in maps), data_range=1.0)
        assert found == pytest.approx(expected, abs=1e-6)


def test_structural_similarity_is_1_for_the_same_sizes_even_without_any_attribution():
    torch.manual_seed(0)
    maps = torch.cat([torch.randn(1, 1, 3, 5), torch.zeros(1, 1, 3, 5)])
    assert structural_similarity(maps, -7 * maps).tolist() == pytest.approx([1.0, 1.0])
    assert structural_similarity(maps, maps.flip(3))[0] < 0.9


def test_what_is_no_image_has_no_structure():
    with pytest.raises(DataError, match=r"shape \(2, 5\); expected \(batch, channel"):
        structural_similarity(torch.ones(2, 5), torch.ones(2, 5))
    assert compared(torch.eye(3), torch.eye(3), part="same").structural_similarity is None


def test_a_comparison_tells_sizes_from_signs():
    first = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    found = compared(first, -first, part="sign")
    assert found.rank_correlation.value == pytest.approx(1)
    assert found.signed_rank_correlation.value == pytest.approx(-1)
    assert found.rank_correlation.part == "sign"


def test_a_mean_leaves_out_undefined_rows_and_says_how_many():
    found = mean_over_rows("some", torch.tensor([1.0, torch.nan, 3.0]))
    assert (found.value, found.count, found.note) == (2.0, 2, "left out, not defined: 1 rows")
    assert (found.low, found.high) == (1.0, 3.0)
    assert mean_over_rows("some", torch.tensor([torch.nan])).value is None


def test_an_interval_shrinks_with_the_square_root_of_the_number_of_rows():
    rng = np.random.default_rng(0)
    widths = []
    for count in (100, 1600):
        found = mean_over_rows("some", torch.tensor(rng.normal(size=count)))
        widths.append(found.high - found.low)
    assert widths[0] == pytest.approx(2 * 1.96 / 10, rel=0.2)
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.2)
