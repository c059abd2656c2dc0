"""Accuracy under attack, on models whose margins are known."""

import pytest
import torch
from torch import nn

from corrigible.errors import RecipeError
from corrigible.protocols.robustness.attack_curve import _wrong_class, accuracy_under_attack


def threshold():
    """Predicts 1 where x is above one half."""
    model = nn.Linear(1, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[-1.0], [1.0]]))
        model.bias.copy_(torch.tensor([0.5, -0.5]))
    return model


DATA = (torch.tensor([[0.05], [0.25], [0.45], [0.65], [0.99], [0.2]]), torch.tensor([0, 0, 0, 1, 1, 1]))


@pytest.mark.parametrize("settings", [{}, {"attack": "projected_gradient", "steps": 5}, {"targeted": True}])
def test_a_row_falls_when_the_attack_reaches_its_margin(settings):
    found = accuracy_under_attack(threshold(), DATA, [0.0, 0.1, 0.2, 0.4, 0.48, 0.6], **settings)
    assert [size for size, _ in found] == [0.0, 0.1, 0.2, 0.4, 0.48, 0.6]
    assert [round(6 * accuracy) for _, accuracy in found] == [5, 4, 3, 2, 1, 0]


def test_targets_are_wrong_classes_and_all_of_them():
    y = torch.arange(4).repeat(50)
    target = _wrong_class(torch.arange(200), y, 4, 0)
    assert set(((target - y) % 4).tolist()) == {1, 2, 3}


def test_unknown_attacks_and_settings_are_refused():
    with pytest.raises(RecipeError, match="unknown attack 'fgms'"):
        accuracy_under_attack(threshold(), DATA, [0.1], attack="fgms")
    with pytest.raises(RecipeError, match="unknown setting 'steps'"):
        accuracy_under_attack(threshold(), DATA, [0.1], steps=3)
