"""Draws that belong to a row: standard normal, independent, and the same wherever the row stands."""

import math
from functools import partial

import pytest
import torch

from corrigible.models.draws import _mixed, coarse_row_normal, row_normal, row_uniform

INDEX = torch.arange(5_000)


MANY = 1_000_000


def draws(index=INDEX, shape=(4,), *, seed=0, name="noise", dtype=torch.float64):
    return row_normal(index, shape, seed=seed, name=name, dtype=dtype)


def test_place_repetition_and_company_change_no_draw():
    found = draws()
    order = torch.randperm(len(INDEX), generator=torch.Generator().manual_seed(0))
    assert torch.equal(draws(INDEX[order]), found[order])
    assert torch.equal(draws(torch.tensor([7, 3, 7])), found[[7, 3, 7]])


def test_global_random_state_is_neither_used_nor_moved():
    before, found = torch.get_rng_state(), draws()
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    assert torch.equal(draws(), found)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4)])
def test_shape_is_rows_then_shape(shape):
    found = draws(INDEX[:5], shape)
    assert found.shape == (5, *shape)
    assert found.dtype == torch.float64


def test_distribution_is_standard_normal():
    """Kolmogorov and Smirnov's distance of 20,000 draws lies under its 1 % point."""
    values = draws().flatten().sort().values
    cumulative = 0.5 * (1 + torch.erf(values / math.sqrt(2)))
    steps = torch.arange(1, len(values) + 1) / len(values)
    assert (cumulative - steps).abs().max() < 1.63 / math.sqrt(len(values))


@pytest.mark.parametrize(
    "other",
    [draws(seed=1), draws(name="other"), draws(INDEX + 1), draws().roll(1, dims=1), draws(INDEX + 2**40)],
    ids=["seed", "name", "neighbouring row", "neighbouring position", "far row"],
)
def test_other_draws_are_independent(other):
    correlation = torch.corrcoef(torch.stack([draws().flatten(), other.flatten()]))[0, 1]
    assert abs(correlation) < 4 / math.sqrt(other.numel())
    squares = torch.corrcoef(torch.stack([draws().flatten() ** 2, other.flatten() ** 2]))[0, 1]
    assert abs(squares) < 4 / math.sqrt(other.numel())


def test_no_draw_comes_twice():
    found = draws().flatten()
    assert len(found.unique()) == len(found)
    assert torch.isfinite(found).all()


def test_uniform_draws_are_uniform():
    """Kolmogorov and Smirnov's distance of 20,000 draws lies under its 1 % point."""
    values = row_uniform(INDEX, (4,), seed=0, name="noise").flatten().sort().values
    steps = torch.arange(1, len(values) + 1) / len(values)
    assert (values - steps).abs().max() < 1.63 / math.sqrt(len(values))
    assert values.min() > 0
    assert values.max() < 1


@pytest.mark.parametrize("shape", [(250,), (1,)], ids=["positions", "rows"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_million_draws_have_the_moments_and_the_distribution_of_normal_ones(dtype, shape):
    """Each moment within 4 standard errors, 256 equally likely intervals within 4 of χ²'s deviations."""
    found = draws(torch.arange(MANY // shape[0]), shape, seed=2, dtype=dtype).flatten().double()
    error = 1 / math.sqrt(MANY)
    assert abs(found.mean()) < 4 * error
    assert abs(found.square().mean() - 1) < 4 * math.sqrt(2) * error
    assert abs(found.pow(3).mean()) < 4 * math.sqrt(15) * error
    assert abs(found.pow(4).mean() - 3) < 4 * math.sqrt(96) * error
    assert 4.2 < found.abs().max() < 6.67
    assert 170 < chi_square((cumulative(found) * 256).long()) < 345


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_million_uniform_draws_fill_their_intervals_alike(dtype):
    found = row_uniform(torch.arange(1000), (1000,), seed=2, name="many", dtype=dtype)
    assert 170 < chi_square((found * 256).long().flatten()) < 345
    assert 170 < chi_square((found.double() * 2**23).long().flatten() % 256) < 345  # The last bits of a float32.


def test_pairs_of_neighbours_fill_the_square():
    """Of rows, of positions, of the two halves that share words: 16 × 16 squares within 4 of χ²'s deviations."""
    cells = (cumulative(draws(torch.arange(1000), (1000,))) * 16).long()
    for first, second in ((cells[:-1], cells[1:]), (cells[:, :-1], cells[:, 1:]), (cells[:, :500], cells[:, 500:])):
        assert 170 < chi_square((first * 16 + second).flatten()) < 345


def test_normal_and_uniform_draws_of_one_name_are_independent():
    uniform = row_uniform(INDEX, (4,), seed=0, name="noise").flatten()
    correlations = torch.corrcoef(torch.stack([draws().flatten(), draws().flatten().abs(), uniform]))[2, :2]
    assert correlations.abs().max() < 4 / math.sqrt(len(uniform))


def test_another_precision_rounds_the_same_draws():
    found = draws()
    assert draws(dtype=torch.float32).dtype == torch.float32
    torch.testing.assert_close(draws(dtype=torch.float32).double(), found, rtol=0, atol=2e-4)
    torch.testing.assert_close(draws(dtype=torch.bfloat16).double(), found, rtol=2**-8, atol=2e-4)
    uniform = partial(row_uniform, INDEX, (3,), seed=0, name="noise")
    torch.testing.assert_close(uniform(dtype=torch.float32).double(), uniform(), rtol=0, atol=2**-23)


def test_no_precision_has_a_uniform_draw_of_0_or_1():
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        found = row_uniform(torch.arange(1000), (300,), seed=0, name="noise", dtype=dtype)
        assert found.min() > 0
        assert found.max() < 1


def test_many_rows_are_made_some_at_a_time_and_alike(monkeypatch):
    together, uniform = draws(), row_uniform(INDEX, (3,), seed=0, name="noise")
    monkeypatch.setattr("corrigible.models.draws.WORDS_AT_ONCE", 100)
    assert torch.equal(draws(), together)
    assert torch.equal(row_uniform(INDEX, (3,), seed=0, name="noise"), uniform)


def test_words_are_those_of_splitmix64():
    """The published generator, started at 1234567 (Vigna's reference), gives these."""
    state = torch.tensor([1234567, 1234567 + 0x9E3779B97F4A7C15 - 2**64])
    assert [word % 2**64 for word in _mixed(state).tolist()] == [6457827717110365317, 3203168211198807973]


def test_draws_are_made_on_the_device_of_the_index():
    index = torch.arange(3, device="meta")
    assert draws(index).device == row_uniform(index, (2,), seed=0, name="noise").device == index.device


def cumulative(values):
    return 0.5 * (1 + torch.erf(values / math.sqrt(2)))


def chi_square(cells, num_cells=256):
    """Of how often each cell was hit, all being equally likely."""
    counts = torch.bincount(cells, minlength=num_cells).double()
    expected = len(cells) / num_cells
    return (counts - expected).square().sum() / expected


def test_uniform_draws_can_be_had_piece_by_piece():
    whole = row_uniform(INDEX[:7], (5, 2), seed=3, name="pieces")
    assert torch.equal(row_uniform(INDEX[:7], (3, 2), seed=3, name="pieces", start=4), whole[:, 2:])
    assert torch.equal(row_uniform(INDEX[5:7], (5, 2), seed=3, name="pieces"), whole[5:])


def coarse(index=INDEX, shape=(6,), *, seed=0, name="noise", dtype=torch.float64):
    return coarse_row_normal(index, shape, seed=seed, name=name, dtype=dtype)


def test_coarse_draws_belong_to_their_row_and_are_rounded_to_another_precision():
    found = coarse(INDEX[:50])
    assert torch.equal(coarse(torch.tensor([7, 3, 7])), found[[7, 3, 7]])
    assert torch.equal(coarse(INDEX[:50], dtype=torch.float32), found.float())
    assert coarse(INDEX[:5], ()).shape == (5,)
    assert coarse(INDEX[:0], (2, 3)).shape == (0, 2, 3)
    assert not torch.equal(coarse(INDEX[:50], seed=1), found)


def test_coarse_draws_are_standard_normal_and_independent():
    """Kolmogorov and Smirnov's distance of 30,000 draws lies under its 1 % point; a word gives four of them."""
    found = coarse()
    values = found.flatten().sort().values
    cumulative = 0.5 * (1 + torch.erf(values / math.sqrt(2)))
    assert (cumulative - torch.arange(1, len(values) + 1) / len(values)).abs().max() < 1.63 / math.sqrt(len(values))
    assert found.abs().max() < 4.4
    assert abs(found.pow(4).mean() - 3) < 4 * math.sqrt(96 / found.numel())
    for power in (1, 2):
        by_position = torch.corrcoef(found.pow(power).T)
        assert (by_position - torch.eye(6)).abs().max() < 4 / math.sqrt(len(found))
        pair = torch.stack([found[:-1].flatten(), found[1:].flatten()]).pow(power)
        assert abs(torch.corrcoef(pair)[0, 1]) < 4 / math.sqrt(found.numel())
