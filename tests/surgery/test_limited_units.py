"""Units held at their mean, against the definition written slowly."""

import pytest
import torch
from torch import nn

from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.explanations.question import question_of
from corrigible.surgery import limited_units, unit_contributions

X = torch.randn(30, 4, generator=torch.Generator().manual_seed(1))
TARGET = torch.arange(30) % 2


def net():
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))


def slow_sizes(model):
    """|z − mean of z| · |gradient|, unit by unit, the mean over rows; the weights of a linear rest are gradients."""
    hidden = model[:2](X).detach()
    weights = model[2].weight.detach()[TARGET]
    mean = sum(hidden) / len(hidden)
    return mean, sum((row - mean).abs() * weight.abs() for row, weight in zip(hidden, weights, strict=True)) / len(X)


def test_sizes_are_deviation_times_gradient():
    model = net()
    found = unit_contributions(question_of(model, X, TARGET), layer="1")
    for part, expected in zip(found, slow_sizes(model), strict=True):
        torch.testing.assert_close(part, expected)


@pytest.mark.parametrize(("share", "kept"), [(0.0, 0.0), (0.1, 0.1)])
def test_the_layer_contributes_as_much_and_the_units_at_most_their_share(share, kept):
    model = net()
    limited = limited_units(model, question_of(model, X, TARGET), layer="1", units=[0, 3], share=share)
    before = unit_contributions(question_of(model, X, TARGET), layer="1")[1]
    after = unit_contributions(question_of(limited, X, TARGET), layer="1")[1]
    torch.testing.assert_close(after.sum(), before.sum())
    torch.testing.assert_close(after[[0, 3]].sum() / after.sum(), torch.tensor(kept))
    # By the formula: all over the others.
    others = [1, 2, 4]
    torch.testing.assert_close(after[others], before[others] * (1 - share) * before.sum() / before[others].sum())
    torch.testing.assert_close(limited[:2](X).mean(dim=0), model[:2](X).mean(dim=0))


def test_the_formula_that_divides_by_all_sizes_would_lose_a_part():
    _, sizes = slow_sizes(net())
    divided_by_all = sizes[1:] * (1 + sizes[0] / sizes.sum())
    divided_by_others = sizes[1:] * (1 + sizes[0] / sizes[1:].sum())
    assert divided_by_all.sum() < sizes.sum()
    torch.testing.assert_close(divided_by_others.sum(), sizes.sum())


def test_units_held_at_their_mean_do_not_move_and_the_model_is_left_as_it_is():
    model = net().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    limited = limited_units(model, question_of(model, X, TARGET), layer="1", units=[2])
    assert limited[:2](X)[:, 2].unique().numel() == 1
    assert limited.training and all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_channels_are_units_at_every_position():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2))
    images = torch.randn(6, 1, 6, 6)
    limited = limited_units(model, question_of(model, images, 1), layer="1", units=[1])
    held = limited[:2](images)[:, 1]
    torch.testing.assert_close(held, model[:2](images)[:, 1].mean().expand_as(held))


def test_units_within_their_share_are_left_as_they_are():
    model = net()
    limited = limited_units(model, question_of(model, X, TARGET), layer="1", units=[0], share=0.99)
    assert torch.equal(limited(X), model(X))


@pytest.mark.parametrize(
    ("layer", "units", "error", "message"),
    [
        ("1", [5], RecipeError, "expected numbers from 0 to 4, units of layer '1'"),
        ("1", [], RecipeError, r"units are \[\]"),
        ("1", [0, 1, 2, 3, 4], RecipeError, "no other unit of the layer contributes"),
        ("9", [0], UnsupportedModelError, "no layer '9'"),
    ],
)
def test_units_that_cannot_be_limited_are_refused(layer, units, error, message):
    model = net()
    with pytest.raises(error, match=message):
        limited_units(model, question_of(model, X, TARGET), layer=layer, units=units)
