"""What a corrected model relies on instead."""

import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.regions.shifts import shifts

Y = torch.arange(200) % 2


def reads(*places: tuple[int, int]) -> nn.Module:
    """A network of 8 x 8 images that answers by the sum of these pixels."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].bias.zero_()
        for top, left in places:
            model[1].weight[1, 8 * top + left] = 4.0
    return model


def images() -> TensorData:
    x = 0.1 * torch.randn(200, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for top, left in ((0, 0), (3, 3), (0, 5)):
        x[:, 0, top, left] += 2.0 * Y - 1.0
    return TensorData(x, Y)


def test_a_model_that_turns_from_the_mark_to_the_border_is_found_out():
    marked = torch.zeros(1, 8, 8, dtype=torch.bool)
    marked[0, 3, 3] = True
    found = shifts(reads((3, 3)), reads((0, 5)), images(), marked)
    assert "the border of the image" in [shift.region for shift in found]
    assert all(shift.after < shift.before - 0.05 for shift in found)


def test_nothing_is_said_of_a_model_that_relies_on_the_same_or_of_what_was_marked():
    nothing, corner = torch.zeros(1, 8, 8, dtype=torch.bool), torch.zeros(1, 8, 8, dtype=torch.bool)
    corner[0, :2, :2] = True
    assert shifts(reads((3, 3)), reads((3, 3)), images(), nothing) == []
    named = [shift.region for shift in shifts(reads((3, 3)), reads((0, 0)), images(), corner)]
    assert "the cell at rows 0 on, columns 0 on" not in named


def test_features_of_tables_are_named_and_other_data_has_none():
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    x += (4.0 * Y - 2.0)[:, None]
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    with torch.no_grad():
        for model, column in ((first, 1), (second, 0)):
            model.weight.zero_()
            model.bias.zero_()
            model.weight[1, column] = 4.0
    (found,) = shifts(first, second, TensorData(x, Y), torch.tensor([False, True]))
    assert found.region == "column 0"
    assert shifts(first, second, TensorData(torch.randn(200, 3, 2), Y), torch.zeros(3, 2, dtype=torch.bool)) == []


def test_amounts_are_compared_by_the_share_of_the_variance_that_is_explained():
    y = torch.randn(200, generator=torch.Generator().manual_seed(1))
    x = y[:, None].expand(-1, 2).clone()
    first, second = nn.Linear(2, 1, bias=False), nn.Linear(2, 1, bias=False)
    first.weight.data, second.weight.data = torch.tensor([[0.0, 7.0]]), torch.tensor([[7.0, 0.0]])
    (found,) = shifts(first, second, TensorData(x, 7 * y, task="amounts"), torch.tensor([False, True]))
    assert found.region == "column 0"
    # With another row's value the squared error is twice the variance.
    assert (found.before, found.after < -0.5) == (1.0, True)
