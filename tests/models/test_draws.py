"""Draws that belong to a row: standard normal, independent, and the same wherever the row stands."""

import math

import pytest
import torch

from corrigible.models.draws import row_normal, row_uniform

INDEX = torch.arange(5_000)


def draws(index=INDEX, shape=(4,), *, seed=0, name="noise"):
    return row_normal(index, shape, seed=seed, name=name)


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


def test_uniform_draws_can_be_had_piece_by_piece():
    whole = row_uniform(INDEX[:7], (5, 2), seed=3, name="pieces")
    assert torch.equal(row_uniform(INDEX[:7], (3, 2), seed=3, name="pieces", start=4), whole[:, 2:])
    assert torch.equal(row_uniform(INDEX[5:7], (5, 2), seed=3, name="pieces"), whole[5:])
