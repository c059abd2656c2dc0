"""The label loss of rows whose marked inputs hold something else."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from corrigible.errors import RecipeError
from corrigible.models.forward import Forward
from corrigible.penalties.counterexamples import counterexamples
from corrigible.types import Batch


def linear():
    torch.manual_seed(0)
    return nn.Linear(3, 2).double()


def batch():
    marked = torch.tensor([[True, False, False], [False, False, False], [True, True, False]])
    return Batch(torch.arange(3), torch.randn(3, 3).double(), torch.tensor([0, 1, 1]), marked)


def value(model, rows, **settings):
    return counterexamples(Forward(model, rows, seed=1), rows, **settings)


def test_is_the_mean_loss_of_the_marked_rows_as_replaced():
    model, rows = linear(), batch()
    donors = torch.tensor([[5.0, 6.0, 7.0]]).double()
    first, last = rows.x[0].clone(), rows.x[2].clone()
    first[0], last[0], last[1] = 5.0, 5.0, 6.0
    expected = cross_entropy(model(torch.stack([first, last])), torch.tensor([0, 1]))
    torch.testing.assert_close(value(model, rows, donors=donors), expected)
    torch.testing.assert_close(value(model, rows, donors=donors, copies=3), expected)
    means = torch.tensor([[5.0, 0.0, 0.0], [5.0, 6.0, 0.0]]).double()
    torch.testing.assert_close(value(model, rows, fill="class_mean", class_means=means), expected)


def test_copies_are_drawn_anew_and_averaged():
    model, rows = linear(), batch()
    donors = torch.randn(50, 3, generator=torch.Generator().manual_seed(3)).double()
    singles = [counterexamples(Forward(model, rows, seed=s), rows, donors=donors) for s in range(300)]
    many = value(model, rows, donors=donors, copies=300)
    assert value(model, rows, donors=donors, copies=2) != value(model, rows, donors=donors)
    assert abs(many - torch.stack(singles).mean()) < 0.05


def test_a_model_that_ignores_the_marks_still_learns_its_labels():
    model, rows = linear(), batch()
    with torch.no_grad():
        model.weight[:, :2] = 0
    rows = replace(rows, irrelevant=torch.tensor([[True, True, False]] * 3))
    torch.testing.assert_close(value(model, rows), cross_entropy(model(rows.x), rows.y))


def test_no_copies_are_refused():
    with pytest.raises(RecipeError, match="copies is 0"):
        value(linear(), batch(), copies=0)
