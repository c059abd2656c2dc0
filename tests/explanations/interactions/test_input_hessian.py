import pytest
import torch
from torch import nn
from torch.autograd.functional import hessian

from corrigible.errors import DataError, NoGradientError, RecipeError
from corrigible.explanations.interactions import INTERACTIONS, input_hessian
from corrigible.explanations.passes import pass_over
from corrigible.explanations.scores import SCORES, score_named
from corrigible.models.softplus import smooth_activations_of
from corrigible.types import Columns


def smooth_net(outputs=3):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, outputs)).double()


def rows(count=3):
    return torch.randn(count, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def slow_hessian(model, x, target, score="target_logit"):
    def of_row(row):
        def scored(values):
            forward = pass_over(model, x[row : row + 1], target[row : row + 1], seed=0)
            return score_named(score, forward)(model(values[None]), target[row : row + 1])[0]

        return hessian(scored, x[row]).reshape(x[row].numel(), -1)

    return torch.stack([of_row(row) for row in range(len(x))])


@pytest.mark.parametrize(
    ("score", "target"),
    [
        *((score, torch.tensor([0, 2, 1])) for score in SCORES),
        *((score, torch.tensor([[0, 1], [2, 0], [1, 2]])) for score in ("target_logit", "margin")),
    ],
)
def test_it_holds_each_rows_second_derivatives(score, target):
    model, x = smooth_net(), rows()
    torch.testing.assert_close(input_hessian(model, x, target, score=score), slow_hessian(model, x, target, score))


def test_a_random_score_has_the_same_draws_in_every_chunk_and_order():
    model, x, target = smooth_net(), rows(5), torch.arange(5) % 3
    whole = input_hessian(model, x, target, score="random_projection", seed=4)
    turned = input_hessian(model, x.flip(0), target.flip(0), score="random_projection", seed=4, rows_at_once=2)
    torch.testing.assert_close(turned.flip(0), whole)


def test_convolutions_have_second_derivatives_too():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 2), nn.Tanh(), nn.Flatten(), nn.Linear(8, 2)).double()
    x, target = torch.randn(2, 1, 3, 3, dtype=torch.float64), torch.tensor([0, 1])
    found = input_hessian(model, x, target)
    assert found.shape == (2, 9, 9)
    torch.testing.assert_close(found, slow_hessian(model, x, target))


def test_a_categorys_columns_are_centred_on_both_sides():
    columns = Columns(("a", "b=0", "b=1", "b=2"), ("a", "b", "b", "b"), (False, True, True, True))
    model, x, target = smooth_net(), rows(), torch.tensor([0, 1, 2])
    centring = torch.eye(4, dtype=torch.float64)
    centring[1:, 1:] -= 1 / 3
    expected = centring @ input_hessian(model, x, target) @ centring
    torch.testing.assert_close(input_hessian(model, x, target, columns=columns), expected)


def test_a_network_of_relus_has_none_until_it_is_smoothed():
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)).double()
    softened = nn.Sequential(model[0], nn.Softplus(beta=5.0), model[2])
    x, target = rows(), torch.tensor([0, 1, 0])
    assert not input_hessian(model, x, target).any()
    with smooth_activations_of(5.0):
        found = input_hessian(model, x, target)
    torch.testing.assert_close(found, slow_hessian(softened, x, target))


@pytest.mark.parametrize(("name", "settings"), [("input_hessian", {}), ("integrated_hessians", {"steps": 5})])
def test_the_gradient_reaches_the_parameters_as_finite_differences_say(name, settings):
    model, x, target = smooth_net(), rows(2), torch.tensor([0, 1])
    weights = torch.randn(2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def loss(differentiable):
        return (INTERACTIONS[name](model, x, target, differentiable=differentiable, **settings) * weights).sum()

    (gradient,) = torch.autograd.grad(loss(True), model[0].weight)
    for place in ((0, 0), (3, 2), (5, 1)):
        ends = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                model[0].weight[place] += step
            ends.append(loss(False))
            with torch.no_grad():
                model[0].weight[place] -= step
        torch.testing.assert_close(gradient[place], (ends[0] - ends[1]) / 2e-5, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", INTERACTIONS)
def test_the_model_is_left_as_it_was_found(name):
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(), nn.Tanh(), nn.Linear(6, 2)).double()
    mean, state = model[1].running_mean.clone(), torch.get_rng_state()
    found = [INTERACTIONS[name](model, rows(), torch.tensor([0, 1, 0])) for _ in range(2)]
    assert not found[0].requires_grad
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)
    assert model.training
    assert torch.equal(model[1].running_mean, mean)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_score_that_does_not_depend_on_the_input_gives_zeros():
    class Constant(nn.Module):
        def forward(self, x):
            return torch.zeros(len(x), 2, dtype=x.dtype)

    assert not input_hessian(Constant(), rows(), torch.tensor([0, 1, 0])).any()


@pytest.mark.parametrize("name", INTERACTIONS)
def test_rows_are_taken_in_the_precision_of_the_model(name):
    model, target = smooth_net().float(), torch.tensor([0, 1, 0])
    found = INTERACTIONS[name](model, rows(), target)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, INTERACTIONS[name](model, rows().float(), target))


@pytest.mark.parametrize("name", INTERACTIONS)
def test_a_differentiable_result_that_reaches_no_parameter_is_refused(name):
    frozen = smooth_net().requires_grad_(False)
    with pytest.raises(NoGradientError, match=f"the result of '{name}' reaches none of the model's 0"):
        INTERACTIONS[name](frozen, rows(), torch.tensor([0, 1, 0]), differentiable=True)


@pytest.mark.parametrize("name", INTERACTIONS)
def test_a_class_may_be_named_once_for_all_rows_or_left_to_the_model(name):
    model, x = smooth_net(), rows()
    for target, meant in ((2, torch.full((3,), 2)), ([0, 2, 1], torch.tensor([0, 2, 1])), (None, model(x).argmax(1))):
        torch.testing.assert_close(INTERACTIONS[name](model, x, target), INTERACTIONS[name](model, x, meant))


@pytest.mark.parametrize("name", INTERACTIONS)
@pytest.mark.parametrize(
    ("target", "settings", "error", "message"),
    [
        ([0, 0, 9], {}, DataError, "target of row 2 is 9; expected 0 to 2"),
        ([[0, 1], [0, 1], [0, -1]], {}, DataError, "target of row 2 is -1; expected 0 to 2"),
        ([0, 1], {}, DataError, r"target has shape \(2,\); expected \(3,\)"),
        (0, {"rows_at_once": 0}, RecipeError, "rows_at_once is 0; expected at least 1"),
    ],
)
def test_what_does_not_fit_the_rows_is_refused(name, target, settings, error, message):
    with pytest.raises(error, match=message):
        INTERACTIONS[name](smooth_net(), rows(), target, **settings)
