"""Swapping: a row's marked inputs take other rows' values, nothing else changes."""

import pytest
import torch

from corrigible.data.swapping import draw_donors, lent, swapped


def test_equals_the_definition_input_by_input():
    generator = torch.Generator().manual_seed(0)
    x, donors = torch.randn(3, 2, 4, generator=generator), torch.randn(5, 2, 4, generator=generator)
    irrelevant = torch.rand(3, 2, 4, generator=generator) < 0.5
    found = swapped(x, irrelevant, donors)
    assert found.shape == (3, 5, 2, 4)
    for row in range(3):
        for donor in range(5):
            for place in torch.cartesian_prod(torch.arange(2), torch.arange(4)).tolist():
                source = donors[donor] if irrelevant[(row, *place)] else x[row]
                assert found[(row, donor, *place)] == source[tuple(place)]


def test_leaves_its_arguments_alone():
    x, donors = torch.zeros(1, 2), torch.ones(1, 2)
    swapped(x, torch.tensor([[True, False]]), donors)[:] = 9
    assert x.eq(0).all()
    assert donors.eq(1).all()


def test_a_marked_background_is_lent_with_its_mean_in_the_place_of_the_object():
    x = torch.arange(24.0).view(3, 2, 2, 2)
    marked = torch.zeros(3, 2, 2, 2, dtype=torch.bool)
    marked[:2, :, 0] = True  # half of the image, which is not the most of it
    marked[0, 1, 1, 1] = True
    expected = [[[[0, 1], [0.5, 0.5]], [[4, 5], [16 / 3, 7]]], *x[1:].tolist()]
    torch.testing.assert_close(lent(x, marked), torch.tensor(expected))
    everything = torch.ones_like(marked)
    assert torch.equal(lent(x, everything), x)


def test_a_large_image_in_half_precision_lends_a_finite_mean():
    x = torch.full((1, 1, 300, 300), 2.0, dtype=torch.float16)
    x[..., 0] = 0
    assert bool(lent(x, x > 0).eq(2).all())


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 2)])
def test_rows_of_a_table_and_texts_lend_all_of_themselves(shape):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(lent(x, x > 0), x)


@pytest.mark.parametrize(("num_donors", "expected"), [(4, 4), (10, 10), (25, 10)])
def test_donors_are_different_rows_and_fewer_where_there_are_not_enough(num_donors, expected):
    donors = draw_donors(10, num_donors, seed=3)
    assert len(donors) == len(donors.unique()) == expected
    assert donors.min() >= 0
    assert donors.max() < 10


def test_donors_are_drawn_from_the_seed_alone():
    before = torch.get_rng_state()
    assert torch.equal(draw_donors(50, 20, seed=1), draw_donors(50, 20, seed=1))
    assert not torch.equal(draw_donors(50, 20, seed=1), draw_donors(50, 20, seed=2))
    assert torch.equal(torch.get_rng_state(), before)


def test_every_row_may_be_a_donor():
    assert set(torch.cat([draw_donors(6, 2, seed) for seed in range(30)]).tolist()) == set(range(6))
