import pytest
import torch
from torch import nn

from corrigible.errors import DataError
from corrigible.explanations.summaries import pair_dependence
from corrigible.types import Columns

COLUMNS = Columns(("a", "b=0", "b=1", "c"), ("a", "b", "b", "c"), (False, True, True, False))


def rows(count=15):
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(count, 2, generator=generator, dtype=torch.float64)
    category = nn.functional.one_hot(torch.randint(2, (count,), generator=generator), 2).double()
    return torch.cat([numbers[:, :1], category, numbers[:, 1:]], dim=1)


def test_each_cell_is_the_mean_score_with_both_features_set():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)).double(), rows()
    found = pair_dependence(model, x, ("b", "c"), target=(1, 0), points=3, columns=COLUMNS, rows_at_once=4)
    assert found.mean.shape == (2, 3)
    for category in range(2):
        for point, value in enumerate(found.second.points):
            changed = x.clone()
            changed[:, 1:3] = torch.eye(2)[category]
            changed[:, 3] = value
            logits = model(changed).detach()
            torch.testing.assert_close(found.mean[category, point], (logits[:, 1] - logits[:, 0]).mean())


def test_features_that_only_add_up_do_not_interact():
    found = pair_dependence(lambda x: torch.sin(x[:, 0]) + 3 * x[:, 1] + x[:, 3], rows(), ("a", "b"), columns=COLUMNS)
    torch.testing.assert_close(found.interaction, torch.zeros_like(found.mean))


def test_what_a_product_leaves_is_the_product_of_the_centred_values():
    found = pair_dependence(lambda x: x[:, 0] * x[:, 3], rows(), ("a", "c"), columns=COLUMNS, points=5)
    first, second = (grid.points - grid.share @ grid.points for grid in (found.first, found.second))
    torch.testing.assert_close(found.interaction, first[:, None] * second)
    torch.testing.assert_close(found.interaction @ found.second.share, torch.zeros(5, dtype=torch.float64))


def test_two_features_of_the_same_columns_are_refused():
    with pytest.raises(DataError, match="'b' and 'b=1' have columns in common"):
        pair_dependence(lambda x: x[:, 0], rows(), ("b", "b=1"), columns=COLUMNS)
