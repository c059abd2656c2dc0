"""The marked gradient where it is largest among points near the row."""

import pytest
import torch
from torch import nn

from corrigible.errors import DataError, RecipeError
from corrigible.models.draws import row_uniform
from corrigible.models.forward import Forward
from corrigible.penalties.bounded_gradient import bounded_gradient
from corrigible.penalties.right_reasons import right_reasons
from corrigible.types import Batch


class Cubes(nn.Module):
    """One logit, w0 x0³ + w1 x1, whose gradient at x0 is 3 w0 x0²."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([2.0, 3.0], dtype=torch.float64))

    def forward(self, x):
        z = (self.weight * torch.stack([x[:, 0] ** 3, x[:, 1]], dim=1)).sum(1, keepdim=True)
        return torch.cat([torch.zeros_like(z), z], dim=1)


def batch():
    marked = torch.tensor([[True, False], [False, False], [True, False]])
    return Batch(
        torch.arange(3), torch.tensor([[1.0, 0.0], [2.0, 1.0], [-1.0, 2.0]]).double(), torch.ones(3).long(), marked
    )


RANGE = torch.tensor([[-2.0, 0.0], [3.0, 2.0]]).double()


def value(model, rows, **settings):
    return bounded_gradient(Forward(model, rows, seed=4), rows, score="target_logit", **settings)


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_ascent_ends_where_a_rising_gradient_is_largest(samples):
    model, rows = Cubes(), batch()
    # The range of the first input is 5 wide: away from 0 by a tenth of it, 0.5.
    found = value(model, rows, radius=0.1, samples=samples, input_range=RANGE)
    torch.testing.assert_close(found, torch.tensor((3 * 2.0 * 1.5**2) ** 2).double())
    gradient = torch.autograd.grad(found, model.weight)[0]
    torch.testing.assert_close(gradient, torch.tensor([2 * 2.0 * (3 * 1.5**2) ** 2, 0.0]).double())


def test_draws_are_uniform_around_the_row_and_the_largest_counts():
    model, rows = Cubes(), batch()
    places = [rows.x[:, 0]]
    for number in range(3):
        uniform = row_uniform(rows.index, (2,), seed=4, name=f"bounded_gradient/{number}")[:, 0]
        places.append(rows.x[:, 0] + 0.5 * (2 * uniform - 1))
    largest = (6 * torch.stack(places).square()).square().amax(0)
    found = value(model, rows, search="sampled", samples=3, input_range=RANGE)
    torch.testing.assert_close(found, (largest[0] + largest[2]) / 2)


def test_is_never_below_the_gradient_at_the_row(case):
    for search in ("adversarial", "sampled"):
        forward = Forward(case.model, case.batch, seed=1)
        at_row = right_reasons(forward, case.batch, score="target_log_prob")
        assert bounded_gradient(forward, case.batch, search=search, score="target_log_prob") >= at_row - 1e-12


def test_the_range_is_that_of_the_batch_where_none_is_given():
    rows = batch()
    ends = torch.stack([rows.x.amin(0), rows.x.amax(0)])
    assert value(Cubes(), rows) == value(Cubes(), rows, input_range=ends)


def test_wrong_settings_are_refused():
    for settings in ({"radius": 0.0}, {"samples": 0}):
        with pytest.raises(RecipeError, match="expected a number above 0"):
            value(Cubes(), batch(), **settings)
    with pytest.raises(DataError, match="input_range has shape"):
        value(Cubes(), batch(), input_range=torch.zeros(2, 3))
