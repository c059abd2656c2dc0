"""The worst that marked inputs can do to the label loss, by bounds."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import nn

from corrigible.errors import DataError, RecipeError
from corrigible.models import table_mlp
from corrigible.models.forward import Forward
from corrigible.penalties.worst_case import worst_case
from corrigible.types import Batch, Columns


def batch():
    marked = torch.tensor([[True, False, False], [False, False, False], [True, True, False]])
    x = torch.randn(3, 3, generator=torch.Generator().manual_seed(1)).double()
    return Batch(torch.arange(3), x, torch.tensor([0, 1, 1]), marked)


def value(model, rows, **settings):
    return worst_case(Forward(model, rows), rows, **settings)


def losses(model, x, y):
    return nn.functional.cross_entropy(model(x), y, reduction="none")


def test_is_the_loss_at_bounds_of_each_logit_less_the_loss():
    torch.manual_seed(0)
    model, rows = nn.Linear(3, 2).double(), batch()
    radius = 0.3 * rows.irrelevant.double()
    wide = torch.tensor([[-9.0] * 3, [9.0] * 3]).double()
    logits, reach = model(rows.x), radius @ model.weight.abs().T
    sign = torch.ones(3, 2).double()
    sign[torch.arange(3), rows.y] = -1
    expected = nn.functional.cross_entropy(logits + sign * reach, rows.y, reduction="none") - losses(
        model, rows.x, rows.y
    )
    found = value(model, rows, radius=0.3, input_range=wide)
    torch.testing.assert_close(found, expected[[0, 2]].mean())


def test_no_row_of_the_range_is_worse():
    torch.manual_seed(0)
    model, rows = table_mlp(3, 2, hidden=(8, 6), dropout=0.0).double(), batch()
    ends = torch.tensor([[-1.0, -2.0, 0.0], [1.0, 0.5, 0.0]]).double()
    harm = []
    for shares in product(torch.linspace(0, 1, 9).tolist(), repeat=2):
        share = torch.tensor([*shares, 0.0]).double()
        x = torch.where(rows.irrelevant, ends[0] + share * (ends[1] - ends[0]), rows.x)
        harm.append(losses(model, x, rows.y) - losses(model, rows.x, rows.y))
    assert value(model, rows, input_range=ends) >= torch.stack(harm).amax(0)[[0, 2]].mean() > 0


def test_a_radius_ends_where_the_range_ends():
    model, rows = nn.Linear(3, 2).double(), batch()
    ends = torch.stack([rows.x.amin(0), rows.x.amax(0)])
    assert value(model, rows, radius=100.0) == value(model, rows, input_range=ends) == value(model, rows)
    assert value(model, rows, radius=0.01) < value(model, rows)


def test_a_marked_category_may_be_any_also_one_that_no_row_has():
    columns = Columns(("age", "site=a", "site=b"), ("age", "site", "site"), (False, True, True))
    model, x = nn.Linear(3, 2).double(), torch.tensor([[3.0, 1.0, 0.0], [4.0, 1.0, 0.0]]).double()
    marked = torch.tensor([[False, True, True]] * 2)
    rows = Batch(torch.arange(2), x, torch.tensor([0, 1]), marked, columns=columns)
    plain = replace(rows, columns=None)
    ends = torch.tensor([[3.0, 0.0, 0.0], [4.0, 1.0, 1.0]]).double()
    assert value(model, rows) == value(model, rows, radius=0.1) == value(model, plain, input_range=ends)


def test_wrong_settings_are_refused():
    with pytest.raises(RecipeError, match="radius is 0"):
        value(nn.Linear(3, 2).double(), batch(), radius=0.0)
    with pytest.raises(DataError, match="input_range has shape"):
        value(nn.Linear(3, 2).double(), batch(), input_range=torch.zeros(2, 4))
