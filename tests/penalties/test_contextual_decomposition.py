"""The contextual decomposition penalty, against its definition."""

import torch
from torch import nn

from corrigible.models.decomposition import contribution
from corrigible.models.forward import Forward
from corrigible.penalties.contextual_decomposition import contextual_decomposition
from corrigible.types import Batch, Columns


def penalty(model: nn.Module, batch: Batch) -> torch.Tensor:
    return contextual_decomposition(Forward(model, batch), batch)


def test_of_a_linear_model_is_the_mean_size_of_weight_times_value_against_the_mean_class():
    model = nn.Linear(3, 2, bias=False).double()
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]], dtype=torch.float64)
    marked = torch.tensor([[True, True, False], [False, False, True], [False, False, False]])
    gap = (model.weight[1] - model.weight[0]).detach().double()
    sizes = [abs(float(gap[0] * 1 + gap[1] * 2)) / 2, abs(float(gap[2] * 6)) / 2]
    batch = Batch(torch.arange(3), x, torch.zeros(3, dtype=torch.long), marked)
    torch.testing.assert_close(penalty(model, batch), torch.tensor(sum(sizes) / 2, dtype=torch.float64))


def test_is_the_mean_over_marked_rows_and_classes(case):
    batch = case.batch
    if batch.columns is None:
        _, found = contribution(case.model, batch.x, batch.x * batch.irrelevant)
        expected = torch.stack([(row - row.mean()).abs().mean() for row in found]).mean()
        torch.testing.assert_close(penalty(case.model, batch), expected)


def test_what_all_columns_of_a_category_share_does_not_count():
    columns = Columns(("a=0", "a=1", "b"), ("a", "a", "b"), (True, True, False))
    model = nn.Linear(3, 2, bias=False).double()
    x = torch.tensor([[1.0, 0.0, 0.5]], dtype=torch.float64)
    marked = torch.tensor([[True, True, False]])
    batch = Batch(torch.arange(1), x, torch.tensor([0]), marked, columns=columns)
    assert penalty(model, batch) > 0
    with torch.no_grad():
        model.weight[:, 1] = model.weight[:, 0]
    assert penalty(model, batch) == 0


def test_a_contribution_that_only_lowers_an_activation_counts():
    first = nn.Linear(2, 1, bias=False).double()
    second = nn.Linear(1, 1, bias=False).double()
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[-1.0, 3.0]]))
        second.weight.fill_(1.0)
    batch = Batch(torch.arange(1), torch.ones(1, 2).double(), torch.tensor([0]), torch.tensor([[True, False]]))
    # relu(-1) is 0, relu(-1 + 3) - relu(3) is -1; half of it, and half again against the mean of (0, z).
    assert penalty(nn.Sequential(first, nn.ReLU(), second), batch) == 0.25
