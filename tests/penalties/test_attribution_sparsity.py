"""Sparsity of attributions, against the Gini coefficient written out in pairs."""

import pytest
import torch
from torch import nn

from corrigible.explanations.attribution.expected_gradients import expected_gradients_of
from corrigible.models.forward import Forward
from corrigible.penalties.attribution_sparsity import attribution_sparsity, gini_of
from corrigible.types import Batch


def slow_gini(sizes: list[float]) -> float:
    pairs = sum(abs(a - b) for a in sizes for b in sizes)
    return pairs / (2 * len(sizes) * sum(sizes))


@pytest.mark.parametrize("sizes", [[1.0, 2.0, 4.0], [0.0, 0.0, 3.0, 0.0], [2.0, 2.0], [5.0], [0.3, 0.1, 0.3, 0.9, 0.0]])
def test_gini_is_the_mean_difference_of_pairs_over_twice_the_mean(sizes):
    assert gini_of(torch.tensor(sizes, dtype=torch.float64)).item() == pytest.approx(slow_gini(sizes))


def test_gini_from_all_alike_to_one_alone():
    assert gini_of(torch.ones(10)) == 0
    assert gini_of(torch.eye(10)[3]).item() == pytest.approx(0.9)
    assert gini_of(torch.zeros(10)) == 0


def test_is_one_less_the_gini_of_features_over_all_rows(table_case):
    """Features, not columns: a category's columns are added up first, then sizes are taken, then the mean."""
    model, batch = table_case.model, table_case.batch
    background = batch.x.flip(0)
    found = expected_gradients_of(Forward(model, batch), batch.y, background=background, score="target_log_prob")
    features = {"age": [0], "site": [1, 2, 3], "dose": [4], "sex": [5, 6]}
    sizes = [
        sum(abs(sum(found[row, c].item() for c in columns)) for row in range(len(found))) / len(found)
        for columns in features.values()
    ]
    value = attribution_sparsity(Forward(model, batch), batch, background=background)
    assert value.item() == pytest.approx(1 - slow_gini(sizes))


def test_only_shares_matter(table_case):
    model, batch = table_case.model, table_case.batch
    before = attribution_sparsity(Forward(model, batch), batch, score="target_logit")
    with torch.no_grad():
        model[-1].weight.mul_(0.01)
    torch.testing.assert_close(attribution_sparsity(Forward(model, batch), batch, score="target_logit"), before)


def test_following_it_leaves_one_input_that_counts():
    model = nn.Linear(4, 2, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, 0.9, 1.1, 1.5], [-1.0, -0.9, -1.1, -1.5]]))
    x = torch.ones(2, 4, dtype=torch.float64)
    batch = Batch(torch.arange(2), x, torch.tensor([0, 1]))
    values = []
    for _ in range(200):
        value = attribution_sparsity(Forward(model, batch), batch, score="target_logit")
        (gradient,) = torch.autograd.grad(value, model.weight)
        with torch.no_grad():
            model.weight -= 0.2 * gradient
        values.append(value.item())
    assert values[0] > 0.8
    assert values[-1] < 0.3


def test_a_model_that_uses_nothing_gives_one_with_gradients_that_are_numbers():
    model = nn.Linear(3, 2)
    nn.init.zeros_(model.weight)
    batch = Batch(torch.arange(2), torch.ones(2, 3), torch.tensor([0, 1]))
    value = attribution_sparsity(Forward(model, batch), batch)
    (gradient,) = torch.autograd.grad(value, model.weight)
    assert value == 1
    assert gradient.isfinite().all()
