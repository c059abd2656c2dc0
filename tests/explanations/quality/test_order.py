from itertools import permutations

import pytest
import torch

from corrigible.errors import RecipeError
from corrigible.explanations.quality._order import ascending_of, order_of, top_count_of, top_share_of

VALUES = torch.tensor([[3.0, 1.0, 3.0, 2.0, 1.0], [5.0, 4.0, 3.0, 2.0, 1.0], [7.0, 7.0, 7.0, 7.0, 7.0]])


def test_how_many_are_larger_or_equal():
    order = order_of(VALUES)
    assert order.above.tolist() == [[0, 3, 0, 2, 3], [0, 1, 2, 3, 4], [0, 0, 0, 0, 0]]
    assert order.ties.tolist() == [[2, 2, 2, 1, 2], [1, 1, 1, 1, 1], [5, 5, 5, 5, 5]]


@pytest.mark.parametrize("count", range(6))
def test_the_share_in_the_top_is_the_mean_over_all_ways_to_break_ties(count):
    total, ways = torch.zeros(3, 5), 0
    for way in permutations(range(5)):
        later = torch.tensor([way.index(place) for place in range(5)]) * 1e-6
        first = (VALUES - later).argsort(dim=1, descending=True)[:, :count]
        total += torch.zeros(3, 5).scatter(1, first, 1.0)
        ways += 1
    counts = torch.full((3, 1), count, dtype=torch.float64)
    torch.testing.assert_close(top_share_of(VALUES, counts).float(), total / ways)


def test_rows_may_count_different_tops():
    counts = torch.tensor([[1.0], [2.0], [0.0]], dtype=torch.float64)
    assert top_share_of(VALUES, counts).tolist() == [[0.5, 0, 0.5, 0, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]]


def test_order_and_ascending_values_equal_a_count_of_pairs():
    values = torch.randn(4, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values[1:] = values[1:].mul(3).round()
    for rows in (values, values[:1]):
        order, pairs = order_of(rows), rows[:, None, :] - rows[:, :, None]
        assert torch.equal(order.above, (pairs > 0).sum(dim=2).double())
        assert torch.equal(order.ties, (pairs == 0).sum(dim=2).double())
        assert torch.equal(ascending_of(rows), rows.sort(dim=1).values)


def test_the_top_is_a_tenth_unless_said():
    assert [top_count_of(None, size) for size in (3, 10, 57)] == [1, 1, 5]
    assert top_count_of(4, 4) == 4
    for wrong in (0, 5):
        with pytest.raises(RecipeError, match=f"top is {wrong}; expected 1 to 4"):
            top_count_of(wrong, 4)
