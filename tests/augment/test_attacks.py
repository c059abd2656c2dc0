"""Attacks stay within their bounds and the model stays as it was."""

import pytest
import torch
from torch import nn

from corrigible.augment import ATTACKS, fgsm, projected_gradient
from corrigible.errors import RecipeError


def linear():
    model = nn.Linear(3, 3).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[4.0, 0.0, 1.0], [-3.0, 2.0, 1.0], [0.0, -1.0, 1.0]]))
    return model


X, Y = torch.tensor([[0.5, 0.95, 0.5], [0.5, 0.5, 0.0]]).double(), torch.tensor([0, 1])


def test_one_step_follows_the_sign_of_the_loss_gradient_within_the_allowed_values():
    model = linear()
    x = X.clone().requires_grad_()
    loss = nn.functional.cross_entropy(model(x), Y, reduction="sum")
    gradient = torch.autograd.grad(loss, x)[0]
    found, expected = fgsm(model, X, Y, epsilon=0.1), (X + 0.1 * gradient.sign()).clamp(0, 1)
    # What the last input adds to every class alike changes no loss; its gradient is rounding.
    assert (gradient[:, :2].abs() > 1e-12).all()
    torch.testing.assert_close(found[:, :2], expected[:, :2])


def test_a_network_that_is_certain_is_attacked_all_the_same():
    """Of two classes the gradient's signs do not change as the logits grow, until its length is rounded to 0."""
    model = nn.Linear(3, 2)
    x, y = X.float(), torch.tensor([1, 0])
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[4.0, -1.0, 1.0], [-3.0, 2.0, 3.0]]))
        model.bias.copy_(torch.tensor([0.0, 1.0]))
    expected = fgsm(model, x, y)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1000)
    assert model(x).softmax(1).amax(1).tolist() == [1, 1]
    assert bool((expected != x).any(dim=1).all())
    assert torch.equal(fgsm(model, x, y), expected)


def test_a_target_is_approached():
    model, target = linear(), torch.tensor([2, 0])
    before, after = (model(x).log_softmax(1).gather(1, target[:, None]) for x in (X, fgsm(model, X, Y, target=target)))
    assert bool((after > before).all())


def test_steps_stay_within_epsilon_and_a_value_out_of_range_stays(case):
    x = case.batch.x
    for generator in (None, torch.Generator().manual_seed(0)):
        moved = projected_gradient(case.model, x, case.batch.y, epsilon=0.2, steps=4, generator=generator)
        assert float((moved - x).abs().max()) <= 0.2 + 1e-12
        assert bool((moved >= x.clamp(max=0.0) - 1e-12).all())
        assert bool((moved <= x.clamp(min=1.0) + 1e-12).all())


def test_several_small_steps_do_more_harm_than_one(case):
    x, y = case.batch.x, case.batch.y
    wide = {"epsilon": 0.3, "low": -9.0, "high": 9.0}

    def loss(moved):
        return nn.functional.cross_entropy(case.model(moved), y)

    several = loss(projected_gradient(case.model, x, y, steps=20, **wide))
    assert several >= loss(fgsm(case.model, x, y, **wide)) - 1e-3
    assert several > loss(x)


@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "feasible_attack"])  # Which is for tables.
def test_the_model_is_left_as_it_was(name, resnet_case):
    model, batch = resnet_case.model.train(), resnet_case.batch
    state = {key: value.clone() for key, value in model.state_dict().items()}
    random = torch.get_rng_state()
    found = ATTACKS[name](model, batch.x, batch.y)
    assert not found.requires_grad
    assert torch.equal(torch.get_rng_state(), random)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(state[key], value) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_wrong_settings_are_refused():
    for settings in ({"epsilon": -0.1}, {"steps": 0}, {"low": 1.0}):
        with pytest.raises(RecipeError, match="expected an epsilon"):
            projected_gradient(linear(), X, Y, **settings)
