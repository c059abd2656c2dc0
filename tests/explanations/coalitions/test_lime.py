import math

import pytest
import torch
from sklearn.linear_model import Ridge

from corrigible.errors import RecipeError
from corrigible.explanations import explain
from corrigible.explanations.coalitions.lime import lime_plans_of
from literal_games import LABELS, filled_value, logit, rows, smooth_net, spread_over


@pytest.mark.parametrize(("kernel_width", "ridge"), [(0.25, 1.0), (1.0, 0.01)])
def test_it_is_a_weighted_ridge_regression_on_which_groups_are_present(kernel_width, ridge):
    model, x, settings = smooth_net(), rows(2), {"samples": 25, "kernel_width": kernel_width, "ridge": ridge}
    found = explain(model, x, 1, method="lime", groups=LABELS, seed=5, **settings)
    (plan,) = lime_plans_of(3, seed=5, **settings)
    present = plan.present
    start, weight = torch.zeros(5, dtype=torch.float64), []
    for z in present.tolist():
        cosine = sum(z) / (math.sqrt(sum(z)) * math.sqrt(3)) if any(z) else 0.0
        weight.append(math.sqrt(math.exp(-((1 - cosine) ** 2) / kernel_width**2)))
    for row, attribution in zip(x, found, strict=True):
        values = [
            filled_value(logit(model, 1), row, LABELS, {g for g in range(3) if z[g]}, [start]) for z in present.tolist()
        ]
        fitted = Ridge(alpha=ridge).fit(present.numpy().astype(float), values, sample_weight=weight)
        torch.testing.assert_close(attribution, spread_over(fitted.coef_.tolist(), LABELS))


def test_of_an_additive_score_it_finds_the_contributions():
    x = rows(3)
    found = explain(lambda x: x @ torch.arange(5.0).double(), x, method="lime", kernel_width=10.0, ridge=1e-6)
    torch.testing.assert_close(found, x * torch.arange(5.0).double(), atol=1e-6, rtol=1e-6)


def test_the_whole_row_is_looked_at_and_the_others_are_half_present():
    (plan,) = lime_plans_of(50, samples=400, kernel_width=1.0, ridge=1.0, seed=0)
    present = plan.present
    assert present[0].all()
    assert present[1:].double().mean().item() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("name", "value"), [("samples", 1), ("kernel_width", 0.0), ("ridge", float("nan"))])
def test_senseless_settings_are_refused_by_name(name, value):
    with pytest.raises(RecipeError, match=f"^{name} is {value}; expected"):
        explain(smooth_net(), rows(1), method="lime", **{name: value})
