"""Attacks stay within their bounds and the model stays as it was."""

from functools import partial

import pytest
import torch
from torch import nn

from corrigible.augment.attacks import ATTACKS, auto_projected_gradient, fgsm, projected_gradient, square_attack
from corrigible.errors import DataError, RecipeError
from corrigible.methods import settings_of


def linear():
    model = nn.Linear(3, 3).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[4.0, 0.0, 1.0], [-3.0, 2.0, 1.0], [0.0, -1.0, 1.0]]))
    return model


QUICK = {
    "fgsm": {},
    "projected_gradient": {"steps": 4},
    "auto_projected_gradient": {"steps": 8, "restarts": 2},
    "square_attack": {"queries": 20},
    "several_attacks": {"attacks": {"fgsm": fgsm, "square_attack": partial(square_attack, queries=20)}},
}
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
    for start in ({}, {"random_start": True}, {"restarts": 2}):
        moved = projected_gradient(case.model, x, case.batch.y, epsilon=0.2, steps=4, **start)
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


@pytest.mark.parametrize("name", ATTACKS)
def test_the_model_is_left_as_it_was(name, resnet_case):
    model, batch = resnet_case.model.train(), resnet_case.batch
    state = {key: value.clone() for key, value in model.state_dict().items()}
    random = torch.get_rng_state()
    found = ATTACKS[name](model, batch.x, batch.y, **QUICK[name])
    assert not found.requires_grad
    assert torch.equal(torch.get_rng_state(), random)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(state[key], value) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("name", ATTACKS)
def test_wrong_settings_are_refused(name):
    for settings in ({"epsilon": -0.1}, {"epsilon": float("nan")}, {"low": 1.0}):
        with pytest.raises(RecipeError, match="expected an epsilon"):
            ATTACKS[name](linear(), X, Y, **settings)
    with pytest.raises(DataError, match="label 3; the model has 3 classes"):
        ATTACKS[name](linear(), X, Y + 2)


def test_settings_of_single_attacks_are_refused_too():
    for settings in ({"steps": 0}, {"restarts": 0}):
        for attack in (projected_gradient, auto_projected_gradient):
            with pytest.raises(RecipeError, match="expected at least 1"):
                attack(linear(), X, Y, **settings)
    with pytest.raises(RecipeError, match="queries is 0; expected at least 1"):
        square_attack(linear(), X, Y, queries=0)
    with pytest.raises(RecipeError, match="expected a single one"):
        projected_gradient(linear(), X, Y, epsilon=torch.tensor([0.1, 0.0, 0.1]), norm="l2")


def on_images(case):
    return case.model, case.batch.x.clamp(0, 1), case.batch.y, case.batch.index


@pytest.mark.parametrize("name", ATTACKS)
def test_each_row_is_attacked_for_itself(name, resnet_case):
    """Order, division into parts and neighbours change nothing where rows keep their numbers."""
    model, x, y, index = on_images(resnet_case)

    def moved(rows):
        own = {"index": index[rows]} if "index" in settings_of(ATTACKS[name]) else {}
        return ATTACKS[name](model, x[rows], y[rows], epsilon=0.01, **own, **QUICK[name])

    together = moved(torch.arange(4))
    assert not torch.equal(together, x)
    for rows in (torch.tensor([2, 0, 3]), torch.tensor([1])):
        torch.testing.assert_close(moved(rows), together[rows])


@pytest.mark.parametrize("name", [name for name in ATTACKS if "seed" in settings_of(ATTACKS[name])])
def test_draws_are_those_of_the_seed(name, resnet_case):
    model, x, y, _ = on_images(resnet_case)
    found = [ATTACKS[name](model, x, y, epsilon=0.001, seed=seed, **QUICK[name]) for seed in (1, 1, 2)]
    assert torch.equal(found[0], found[1])
    assert name != "square_attack" or not torch.equal(found[0], found[2])


@pytest.mark.parametrize("name", [name for name in ATTACKS if "norm" in settings_of(ATTACKS[name])])
def test_a_move_is_at_most_epsilon_long_in_l2(name, resnet_case):
    model, x, y, _ = on_images(resnet_case)
    settings = {} if name == "several_attacks" else {**QUICK[name], "restarts": 2}
    moved = ATTACKS[name](model, x, y, epsilon=0.1, norm="l2", **settings)
    lengths = (moved - x).flatten(1).norm(dim=1)
    assert bool((lengths <= 0.1 + 1e-9).all()) and bool((lengths > 0).any())
    assert float(moved.min()) >= 0 and float(moved.max()) <= 1


@pytest.mark.parametrize("name", ATTACKS)
def test_inputs_with_an_epsilon_of_0_stay(name):
    epsilon = torch.tensor([0.1, 0.0, 0.3]).double()
    moved = ATTACKS[name](linear(), X, Y, epsilon=epsilon, low=torch.tensor([-9.0, -9.0, 0.0]), **QUICK[name])
    assert torch.equal(moved[:, 1], X[:, 1])
    assert bool(((moved - X).abs() <= epsilon + 1e-12).all())
    assert float(moved[:, 2].min()) >= 0


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("name", ATTACKS)
def test_two_classes_may_have_one_logit_or_two(name, single):
    model = nn.Linear(1, 1 if single else 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[2.0]] if single else [[-1.0], [1.0]]))
        model.bias.copy_(torch.tensor([-1.0] if single else [0.5, -0.5]))
    x, y = torch.tensor([[0.45], [0.2], [0.55], [0.7]]), torch.tensor([0, 0, 1, 1])
    moved = ATTACKS[name](model, x, y, epsilon=0.1, **QUICK[name])
    assert ((moved > 0.5)[:, 0] == torch.tensor([True, False, False, True])).all()


@pytest.mark.parametrize("name", ATTACKS)
def test_a_model_may_work_in_place(name):
    found = []
    for inplace in (False, True):
        torch.manual_seed(0)
        model = nn.Sequential(nn.ReLU(inplace=inplace), nn.Linear(3, 3)).double()
        x = X - 0.4
        found.append(ATTACKS[name](model, x, Y, low=-1.0, **QUICK[name]))
        assert torch.equal(x, X - 0.4)
    assert torch.equal(*found)


def test_a_linear_score_falls_as_far_as_it_can():
    """Of two classes the worst point is known: against the difference of the weights."""
    model = nn.Linear(6, 2).double()
    x, y = 0.3 + 0.4 * torch.rand(5, 6).double(), torch.zeros(5, dtype=torch.long)
    with torch.no_grad():
        model.bias.copy_(torch.tensor([9.0, 0.0]))
    towards = model.weight[1] - model.weight[0]
    straight, corner = 0.2 * towards / towards.norm(), 0.2 * towards.sign()
    for attack in (projected_gradient, auto_projected_gradient):
        for loss in ("cross_entropy", "margin"):
            torch.testing.assert_close(attack(model, x, y, epsilon=0.2, norm="l2", loss=loss), x + straight)
            torch.testing.assert_close(attack(model, x, y, epsilon=0.2, loss=loss), x + corner)
    torch.testing.assert_close(square_attack(model, x, y, epsilon=0.2, queries=120), x + corner)


def test_a_row_meets_attacks_until_one_succeeds():
    calls = []

    def counting(name, found):
        def attack(model, x, y, *, epsilon, index):
            calls.append((name, index.tolist()))
            return x + found[index]

        return attack

    model = linear()
    y = model(X).argmax(1)
    y[0] = (y[0] + 1) % 3  # wrong already
    harmless, towards = torch.zeros(2, 3).double(), torch.tensor([[0, 0, 0], [-9, 9, 0]]).double()
    attacks = {"none": counting("none", harmless), "some": counting("some", towards), "more": counting("more", towards)}
    moved = ATTACKS["several_attacks"](model, X, y, attacks=attacks)
    assert calls == [("none", [1]), ("some", [1])]
    assert torch.equal(moved, X + towards)
