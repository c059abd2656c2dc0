"""Shares of an attribution, by hand."""

import torch

from corrigible.explanations.marks.shares import directions, mean_over_marked, share_on


def test_shares_by_hand_whatever_the_scale():
    attribution = torch.tensor([[1.0, 3.0], [2.0, 2.0], [0.0, 0.0]], requires_grad=True)
    weight = torch.tensor([[1.0, 0.0], [0.5, 1.0], [1.0, 1.0]])
    assert share_on(attribution, weight).tolist() == [0.25, 0.75, 0.0]
    assert share_on(attribution * 1e-20, weight).tolist() == [0.25, 0.75, 0.0]
    assert share_on(attribution * 1e-42, weight).tolist() == [0.0, 0.0, 0.0]
    share_on(attribution * 1e-30, weight).sum().backward()
    assert attribution.grad.isfinite().all()


def test_rows_without_marks_do_not_count():
    values, marked = torch.tensor([0.5, 9.0, 0.25]), torch.tensor([[True, False], [False, False], [True, True]])
    assert mean_over_marked(values, marked) == 0.375
    assert mean_over_marked(values, torch.zeros_like(marked)) == 0


def test_directions_have_length_one_however_small_the_gradient():
    gradient = torch.tensor([[3.0, 4.0], [-3e-27, 4e-27], [0.0, 0.0], [1e-40, 0.0]], requires_grad=True)
    found = directions(gradient)
    torch.testing.assert_close(found, torch.tensor([[0.6, 0.8], [-0.6, 0.8], [0.0, 0.0], [0.0, 0.0]]))
    found.abs().sum().backward()
    assert gradient.grad.isfinite().all()
