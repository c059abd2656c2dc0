import torch

from corrigible.data.row_order import in_order_of_values


def test_rows_are_sorted_by_their_first_input_then_the_next_then_by_the_others():
    x = torch.tensor([[2.0, 0.0], [1.0, 5.0], [1.0, 4.0], [1.0, 4.0]])
    assert in_order_of_values(x, torch.tensor([0, 0, 7, 3])).tolist() == [3, 2, 1, 0]


def test_the_order_in_which_rows_came_does_not_matter():
    x = torch.randn(20, 2, 3)
    shuffled = x[torch.randperm(20)]
    assert torch.equal(x[in_order_of_values(x)], shuffled[in_order_of_values(shuffled)])
