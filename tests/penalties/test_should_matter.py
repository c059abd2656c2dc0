"""Ranking what should matter above the rest, pair by pair."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from corrigible.explanations.attribution.grad_cam import class_map_of
from corrigible.explanations.scores import margin
from corrigible.models.forward import Forward
from corrigible.penalties.should_matter import should_matter
from corrigible.types import Batch


def slow_row(importance: list[float], relevant: list[bool]) -> float:
    """The mean hinge over all pairs, over the mean size of the relevant plus that of the rest."""
    mine = [value for value, mark in zip(importance, relevant, strict=True) if mark]
    rest = [value for value, mark in zip(importance, relevant, strict=True) if not mark]
    hinge = sum(max(0.0, other - own) for own in mine for other in rest) / (len(mine) * len(rest))
    return hinge / (sum(map(abs, mine)) / len(mine) + sum(map(abs, rest)) / len(rest))


def relevant_batch(batch: Batch) -> Batch:
    """The marks say what is relevant; a row without any and one marked throughout have no pairs."""
    relevant = batch.irrelevant.clone()
    relevant[0], relevant[1] = False, True
    return replace(batch, relevant=relevant, irrelevant=torch.zeros_like(relevant))


def test_input_gradients_pair_by_pair(case):
    batch = relevant_batch(case.batch)
    forward = Forward(case.model, batch)
    sizes = forward.input_gradient(margin, batch.y).abs().flatten(1).tolist()
    relevant = batch.relevant.flatten(1).tolist()
    expected = [slow_row(sizes[row], relevant[row]) for row in (2, 3)]
    found = should_matter(forward, batch, attribution="input_gradient")
    assert found.item() == pytest.approx(sum(expected) / 2)


def test_grad_cam_pair_by_pair_where_the_map_is_as_fine_as_the_image(resnet_case):
    batch = relevant_batch(resnet_case.batch)
    forward = Forward(resnet_case.model, batch)
    heat = class_map_of(forward, batch.y, score="margin").flatten(1).tolist()
    relevant = batch.relevant[:, 0].flatten(1).tolist()
    expected = [slow_row(heat[row], relevant[row]) for row in (2, 3)]
    assert should_matter(forward, batch).item() == pytest.approx(sum(expected) / 2)


def linear(*weights: float) -> nn.Module:
    model = nn.Linear(len(weights), 2, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([weights, [0.0] * len(weights)]))
    return model


def value(model: nn.Module, relevant: list[bool]) -> float:
    x = torch.ones(1, len(relevant), dtype=torch.float64)
    batch = Batch(torch.arange(1), x, torch.tensor([0]), relevant=torch.tensor([relevant]))
    return should_matter(Forward(model, batch), batch).item()


def test_by_hand():
    assert value(linear(1.0, -3.0, 2.0), [True, False, False]) == pytest.approx((2 + 1) / 2 / (1 + 2.5))
    assert value(linear(3.0, -3.0, 2.0), [True, False, False]) == 0
    assert value(linear(0.0, 1.0, 1.0), [True, False, False]) == 1
    assert value(linear(0.0, 0.0, 0.0), [True, False, False]) == 0


def test_inflating_all_gradients_changes_nothing():
    small, large = linear(1.0, -3.0, 2.0), linear(1e4, -3e4, 2e4)
    assert value(small, [True, False, False]) == pytest.approx(value(large, [True, False, False]))


@pytest.mark.parametrize("attribution", ["input_gradient", "grad_cam"])
def test_gradient_equals_finite_differences(attribution, smooth_case):
    batch = replace(smooth_case.batch, relevant=smooth_case.batch.irrelevant)
    assert torch.autograd.gradcheck(
        lambda *_: should_matter(Forward(smooth_case.model, batch), batch, attribution=attribution),
        tuple(smooth_case.model.parameters()),
        fast_mode=True,
        atol=1e-8,
    )


def test_following_the_gradient_makes_the_marked_inputs_matter():
    model = linear(0.1, 2.0, -2.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    x = torch.ones(1, 3, dtype=torch.float64)
    batch = Batch(torch.arange(1), x, torch.tensor([0]), relevant=torch.tensor([[True, False, False]]))
    for _ in range(60):
        optimizer.zero_grad()
        should_matter(Forward(model, batch), batch).backward()
        optimizer.step()
    weight = (model.weight[0] - model.weight[1]).abs()
    assert weight[0] >= weight[1:].max()


def test_without_marks_it_is_zero(table_case):
    batch = replace(table_case.batch, relevant=None)
    assert should_matter(Forward(table_case.model, batch), batch) == 0


def test_a_table_looks_at_inputs_even_in_a_pass_that_tracks_none(table_case):
    batch = relevant_batch(table_case.batch)
    found = should_matter(Forward(table_case.model, batch, track_input=False, track_layers=True), batch)
    torch.testing.assert_close(found, should_matter(Forward(table_case.model, batch), batch))
