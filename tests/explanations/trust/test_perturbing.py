"""Changed rows stay within the budget and the range."""

import pytest
import torch

from corrigible.explanations.trust.perturbing import Allowed

ROWS = torch.tensor([[0.0, 0.5, 1.0], [0.2, 0.2, 0.2]])


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_many_steps_stay_within_the_budget_and_the_range(norm):
    torch.manual_seed(0)
    allowed, x = Allowed(ROWS, 0.3, norm, (0.0, 1.0)), ROWS
    for _ in range(50):
        x = allowed.stepped(x, torch.randn(2, 3), num_steps=5)
        size = (x - ROWS).abs().amax(1) if norm == "linf" else (x - ROWS).norm(dim=1)
        assert (size <= 0.3 + 1e-6).all()
        assert ((x >= 0) & (x <= 1)).all()


def test_a_step_goes_against_the_gradient_and_all_steps_together_cross_the_ball():
    gradient = torch.tensor([[1.0, 0.0, -4.0], [0.0, 0.0, 0.0]])
    free = (-9.0, 9.0)
    signs = Allowed(ROWS, 0.2, "linf", free).stepped(ROWS, gradient, num_steps=5)
    torch.testing.assert_close(signs - ROWS, torch.tensor([[-0.1, 0, 0.1], [0, 0, 0]]))
    length = Allowed(ROWS, 0.2, "l2", free).stepped(ROWS, gradient, num_steps=5)
    torch.testing.assert_close(length - ROWS, -0.1 * gradient / 17**0.5)


def test_a_row_that_lies_outside_of_the_range_from_the_start_may_stay_there():
    allowed = Allowed(torch.tensor([[1.5]]), 0.2, "linf", (0.0, 1.0))
    assert allowed.projected(torch.tensor([[1.5]])).item() == 1.5
    assert allowed.projected(torch.tensor([[9.0]])).item() == 1.5
    assert allowed.projected(torch.tensor([[0.0]])).item() == pytest.approx(1.3)
