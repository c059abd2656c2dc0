"""How much each unit of a layer counted."""

import pytest
import torch
from torch import nn

from corrigible.errors import DataError, NoGradientError, RecipeError, UnsupportedModelError
from corrigible.explanations.layers import LAYER_EXPLAINERS, layer_attribution, unit_importance
from corrigible.models import lenet, table_mlp
from finite_differences import require_slope


@pytest.fixture(autouse=True)
def _repeatable():
    torch.manual_seed(0)


def small_net():
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.Softplus(), nn.Conv2d(2, 3, 2), nn.Softplus(), nn.Flatten(), nn.Linear(27, 3)
    ).double()


ROWS, TARGET = torch.randn(4, 1, 6, 6, dtype=torch.float64), torch.tensor([0, 1, 2, 1])


def test_hand_worked():
    # Hidden units 2·3 = 6 and ReLU(−3) = 0; the logit of class 0 is 5·6 − 7·0.
    model = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 2, bias=False))
    model[0].weight.data, model[2].weight.data = torch.tensor([[2.0], [-1.0]]), torch.tensor([[5.0, -7.0], [1.0, 1.0]])
    found = layer_attribution(model, torch.tensor([[3.0]]), torch.tensor([0]), layer="1")
    assert found.tolist() == [[30.0, 0.0]]


def test_units_of_the_last_hidden_layer_sum_to_the_logit_less_its_bias():
    model, x = lenet().eval(), torch.randn(3, 1, 28, 28)
    target = torch.tensor([3, 1, 4])
    found = layer_attribution(model, x, target, layer="10")
    logits = model(x) - model[11].bias
    torch.testing.assert_close(found.sum(dim=1), logits[range(3), target].detach(), rtol=1e-4, atol=1e-6)


def test_it_is_the_slope_of_the_score_when_a_unit_is_scaled_down():
    model, unit = small_net(), (1, 2, 0)
    found = layer_attribution(model, ROWS, TARGET, layer="2")[:, *unit]

    def score(factor):
        maps = model[:3](ROWS).clone()
        maps[:, *unit] *= factor
        return model[3:](maps)[range(4), TARGET]

    torch.testing.assert_close(found, ((score(1 + 1e-6) - score(1 - 1e-6)) / 2e-6).detach(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("rows_at_once", [1, 3])
def test_rows_at_once_bounds_what_the_model_sees_and_changes_nothing(rows_at_once):
    model, seen = small_net(), []
    expected = layer_attribution(model, ROWS, TARGET, layer="3", score="random_projection")
    model.register_forward_pre_hook(lambda module, arguments: seen.append(len(arguments[0])))
    found = layer_attribution(model, ROWS, TARGET, layer="3", score="random_projection", rows_at_once=rows_at_once)
    torch.testing.assert_close(found, expected)
    assert max(seen) == rows_at_once
    assert not found.requires_grad


def test_two_classes_ask_why_the_one_rather_than_the_other():
    model, other = small_net(), torch.tensor([1, 0, 0, 2])
    found = layer_attribution(model, ROWS, torch.stack([TARGET, other], dim=1), layer="3")
    expected = [layer_attribution(model, ROWS, chosen, layer="3") for chosen in (TARGET, other)]
    torch.testing.assert_close(found, expected[0] - expected[1])


def test_the_model_is_left_in_its_mode_without_hooks():
    model = table_mlp(5, 3).train()
    layer_attribution(model, torch.randn(2, 5), torch.tensor([0, 1]), layer="0")
    assert all(module.training and not module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("explainer", LAYER_EXPLAINERS.values())
def test_the_parameter_gradient_equals_finite_differences(explainer):
    model, factors = small_net(), torch.randn(4, 3, 3, 3, dtype=torch.float64)

    def loss(changed, differentiable=False):
        found = explainer(changed, ROWS, TARGET, layer="2", score="target_log_prob", differentiable=differentiable)
        return (found * factors).sum()

    require_slope(model, loss)


def test_importance_of_a_unit_is_its_mean_size_over_rows_and_positions():
    attribution = torch.tensor([[[1.0, -3.0], [0.0, 0.0]], [[2.0, 2.0], [-1.0, 0.0]]])
    assert unit_importance(attribution).tolist() == [2.0, 0.25]
    assert unit_importance(torch.tensor([[1.0, -2.0], [3.0, 0.0]])).tolist() == [2.0, 1.0]


def test_an_unknown_layer_is_refused_naming_the_layers_there_are():
    with pytest.raises(UnsupportedModelError, match=r"no layer 'conv'.*0, 1, 2, 3, 4, 5"):
        layer_attribution(small_net(), ROWS, TARGET, layer="conv")


def test_a_differentiable_result_that_reaches_no_parameter_is_refused():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).requires_grad_(False)
    with pytest.raises(NoGradientError, match="none of the model's 0 trainable parameters"):
        layer_attribution(model, torch.randn(2, 3), torch.tensor([0, 1]), layer="1", differentiable=True)


@pytest.mark.parametrize(
    ("target", "settings", "error", "message"),
    [
        ([0, 5], {}, DataError, "target of row 1 is 5; expected 0 to 1"),
        ([[0, 1], [1, 3]], {}, DataError, "target of row 1 is 3; expected 0 to 1"),
        (0, {"rows_at_once": 0}, RecipeError, "rows_at_once is 0; expected at least 1"),
    ],
)
def test_what_does_not_fit_the_rows_is_refused(target, settings, error, message):
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    with pytest.raises(error, match=message):
        layer_attribution(model, torch.randn(2, 3), target, layer="1", **settings)
