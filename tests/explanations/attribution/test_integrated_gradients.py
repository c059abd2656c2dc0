import pytest
import torch
from torch import nn

from corrigible.errors import DataError, RecipeError
from corrigible.explanations import explain
from corrigible.explanations.attribution import input_gradient
from corrigible.explanations.passes import pass_over, values_index
from corrigible.explanations.scores import SCORE_NAMES, score_named
from corrigible.types import Columns


def smooth_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.Softplus(), nn.Linear(8, 3)).double()


@pytest.mark.parametrize("baseline", [None, 0.5, torch.arange(5.0)])
@pytest.mark.parametrize("score", SCORE_NAMES)
def test_a_row_sums_to_the_score_less_that_of_the_baseline(score, baseline):
    model, x, target = smooth_net(), torch.randn(4, 5, dtype=torch.float64), torch.tensor([0, 1, 2, 0])
    found = explain(model, x, target, method="integrated_gradients", score=score, baseline=baseline, steps=60, seed=3)
    start = torch.zeros_like(x) + (0.0 if baseline is None else baseline)
    ends = []
    for rows in (x, start):
        forward = pass_over(model, rows, target, index=values_index(x), seed=3)
        ends.append(score_named(score, forward)(forward.logits, target).detach())
    # The gradient jumps where another logit becomes the largest: off by at most about the jump times a node's weight.
    tolerance = 5e-2 if score in ("margin", "predicted_logit") else 1e-9
    torch.testing.assert_close(found.sum(1), ends[0] - ends[1], rtol=0, atol=tolerance)


def test_quadrature_is_exact_where_the_gradient_is_a_polynomial_of_the_path():
    class Cube(nn.Module):
        def forward(self, x):
            return torch.stack([x[:, 0] ** 3, x[:, 0] * x[:, 1]], dim=1)

    x = torch.tensor([[2.0, 3.0]], dtype=torch.float64)
    found = [explain(Cube(), x, label, method="integrated_gradients", steps=2) for label in (0, 1)]
    torch.testing.assert_close(torch.cat(found), torch.tensor([[8.0, 0.0], [3.0, 3.0]], dtype=torch.float64))


def test_one_step_is_the_gradient_half_way_times_the_way():
    model, x, target = smooth_net(), torch.randn(2, 5, dtype=torch.float64), torch.tensor([0, 1])
    found = explain(model, x, target, method="integrated_gradients", steps=1, baseline=1)
    torch.testing.assert_close(found, input_gradient(model, (x + 1) / 2, target) * (x - 1))


def test_one_hot_columns_are_not_centred_so_that_completeness_holds():
    columns = Columns(("b=0", "b=1"), ("b", "b"), (True, True))
    model, x = nn.Linear(2, 2), torch.tensor([[0.0, 1.0]])
    found = explain(model, x, 0, method="integrated_gradients", columns=columns)
    torch.testing.assert_close(found, model.weight.detach()[:1] * x)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"steps": 0}, RecipeError, "steps is 0; expected at least 1"),
        ({"baseline": torch.zeros(4)}, DataError, r"baseline has shape \(4,\); expected .* \(5,\)"),
        ({"baseline": torch.zeros(2, 5)}, DataError, r"baseline has shape \(2, 5\)"),
        ({"baseline": float("nan")}, DataError, "baseline is NaN"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        explain(smooth_net(), torch.randn(2, 5), method="integrated_gradients", **settings)
