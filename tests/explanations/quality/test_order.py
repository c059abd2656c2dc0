from itertools import permutations

import pytest
import torch

from corrigible.errors import RecipeError
from corrigible.explanations.quality.order import order_of, top_count_of

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
    torch.testing.assert_close(order_of(VALUES).share_in_top(count).float(), total / ways)


def test_the_top_is_a_tenth_unless_said():
    assert [top_count_of(None, size) for size in (3, 10, 57)] == [1, 1, 5]
    assert top_count_of(4, 4) == 4
    for wrong in (0, 5):
        with pytest.raises(RecipeError, match=f"top is {wrong}; expected 1 to 4"):
            top_count_of(wrong, 4)
