"""Intervals against their definitions, written out, and against scipy's."""

import numpy as np
import pytest
import torch
from scipy.stats import ttest_1samp

from corrigible.intervals import bootstrapped_mean, half_width, percentile_interval, resamples

ROWS = torch.randn(30, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_resample_draws_as_many_rows_with_replacement_alike_for_the_same_seed():
    drawn = torch.stack(list(resamples(20, 500, seed=1)))
    assert drawn.shape == (500, 20)
    assert torch.equal(drawn, torch.stack(list(resamples(20, 500, seed=1))))
    assert not torch.equal(drawn, torch.stack(list(resamples(20, 500, seed=2))))
    counts = drawn.flatten().bincount(minlength=20)
    assert len(counts) == 20
    assert (counts - 500).abs().max() < 5 * 500**0.5
    distinct = np.mean([len(set(rows)) for rows in drawn.tolist()])
    assert distinct == pytest.approx(20 * (1 - 0.95**20), abs=0.3)


def test_a_percentile_interval_leaves_out_a_fortieth_at_either_end():
    draws = torch.stack([torch.randperm(41).double(), torch.arange(41) * -2.0], dim=1)
    assert percentile_interval(draws).tolist() == [[1, -78], [39, -2]]


def test_the_interval_of_a_mean_is_that_of_the_means_of_the_resamples():
    means = torch.stack([ROWS[index].mean(dim=0) for index in resamples(30, 200, seed=4)])
    found = bootstrapped_mean(ROWS, num_resamples=200, seed=4)
    torch.testing.assert_close(found, percentile_interval(means))
    torch.testing.assert_close(bootstrapped_mean(ROWS[:, 1, 2], num_resamples=200, seed=4), found[:, 1, 2])


def test_half_a_width_is_students():
    expected = ttest_1samp(ROWS.numpy(), 0).confidence_interval(0.95)
    np.testing.assert_allclose(half_width(ROWS.numpy()), (expected.high - expected.low) / 2)
    assert half_width(ROWS[:1].numpy()) is None
