import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, one_hot

from corrigible.errors import DataError, RecipeError
from corrigible.explanations import explain
from corrigible.explanations.attribution import input_gradient
from corrigible.explanations.features import feature_shares
from corrigible.explanations.passes import pass_over, values_index
from corrigible.explanations.scores import SCORE_NAMES, score_named
from corrigible.types import Columns

SITE = Columns(("dose", "site=a", "site=b", "site=c"), ("dose", *["site"] * 3), (False, True, True, True))


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


def table_rows(site, dose):
    return torch.cat([dose[:, None], one_hot(site, 3)], dim=1).to(dose.dtype)


def test_of_a_table_it_starts_from_an_even_mix_of_categories_and_a_category_is_one_input():
    """Equation 1 by the midpoint rule, column by column; then the category's columns share their sum."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Softplus(), nn.Linear(8, 3)).double()
    x = table_rows(torch.tensor([2, 0, 1]), torch.randn(3, dtype=torch.float64))
    found = explain(model, x, [0, 1, 2], method="integrated_gradients", columns=SITE)
    start, points = torch.tensor([0, 1 / 3, 1 / 3, 1 / 3], dtype=torch.float64), 400
    for row, label, attribution in zip(x, [0, 1, 2], found, strict=True):
        mean = torch.zeros(4, dtype=torch.float64)
        for k in range(points):
            at = (start + (k + 0.5) / points * (row - start)).requires_grad_()
            mean += torch.autograd.grad(model(at[None])[0, label], at)[0] / points
        site = sum(mean[c] * (row[c] - 1 / 3) for c in (1, 2, 3))
        expected = torch.stack([mean[0] * row[0], site / 3, site / 3, site / 3])
        torch.testing.assert_close(attribution, expected, rtol=1e-5, atol=1e-7)
        rise = (model(row[None]) - model(start[None]))[0, label].detach()
        torch.testing.assert_close(attribution.sum(), rise, rtol=0, atol=1e-9)


def test_from_zeros_that_are_given_nothing_is_centred_so_that_completeness_holds():
    columns = Columns(("b=0", "b=1"), ("b", "b"), (True, True))
    model, x = nn.Linear(2, 2), torch.tensor([[0.0, 1.0]])
    found = explain(model, x, 0, method="integrated_gradients", columns=columns, baseline=0)
    torch.testing.assert_close(found, model.weight.detach()[:1, 1:].expand(1, 2) / 2)


def test_of_a_sum_over_features_it_is_the_shapley_value():
    """So that shares of the two families can be set beside each other, whatever the types of the features."""
    model, x = nn.Linear(4, 2).double(), table_rows(torch.tensor([2, 0, 1]), torch.randn(3, dtype=torch.float64))
    for settings in ({}, {"baseline": 0}, {"baseline": x[0]}):
        found, values = (
            explain(model, x, 1, method=method, columns=SITE, **settings)
            for method in ("integrated_gradients", "exact_shapley")
        )
        torch.testing.assert_close(found, values)


@pytest.mark.parametrize("seed", range(3))
def test_the_share_of_a_category_falls_to_almost_nothing_once_it_no_longer_matters(seed):
    """Trained on a category that decides, then on with that category shuffled among the rows."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
    site, dose = torch.randint(3, (300,)), torch.randn(300)
    y = (3 * (site == 0) + dose > 1).long()
    x = table_rows(site, dose)

    def train(x, y):
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        for _ in range(150):
            optimizer.zero_grad()
            cross_entropy(model(x), y).backward()
            optimizer.step()

    def share():
        found = explain(model, x, 1, method="integrated_gradients", columns=SITE)
        return dict(feature_shares([found], SITE))["site"]

    train(x, y)
    relied_on = share()
    # In several orders, so that the rows' shuffled categories cannot be learned by heart.
    train(torch.cat([table_rows(site[torch.randperm(300)], dose) for _ in range(10)]), y.repeat(10))
    assert relied_on > 0.5
    assert share() < relied_on / 3


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
