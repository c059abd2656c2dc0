from functools import partial

import pytest
import torch

from corrigible.errors import RecipeError
from corrigible.explanations import explain
from literal_games import LABELS, filled_value, logit, rows, smooth_net, spread_over


@pytest.mark.parametrize("samples", [1, 4])
def test_it_is_the_mean_over_its_orders_taken_both_ways(samples):
    model, x = smooth_net(), rows(2)
    generator = torch.Generator().manual_seed(7)
    orders = [torch.randperm(3, generator=generator).tolist() for _ in range(samples)]
    found = explain(model, x, 2, method="permutation_shapley", samples=samples, groups=LABELS, seed=7)
    start = torch.zeros(5, dtype=torch.float64)
    for row, attribution in zip(x, found, strict=True):
        value, values = partial(filled_value, logit(model, 2), row, LABELS, others=[start]), [0.0] * 3
        for order in orders + [order[::-1] for order in orders]:
            for place, group in enumerate(order):
                values[group] += (value(order[: place + 1]) - value(order[:place])) / (2 * samples)
        torch.testing.assert_close(attribution, spread_over(values, LABELS))


@pytest.mark.parametrize("num_inputs", [1, 2, 30])
def test_one_order_is_enough_to_sum_to_the_difference_of_the_scores(num_inputs):
    model, x = smooth_net(num_inputs).float(), rows(5, num_inputs).float()
    found = explain(model, x, 0, method="permutation_shapley", samples=1, baseline=0.2)
    difference = (model(x) - model(torch.full_like(x, 0.2)))[:, 0]
    assert (found.sum(1) - difference).abs().max() < 1e-5


def test_one_order_both_ways_is_exact_for_two_groups_at_a_time():
    def pairwise(x):
        return x[:, 0] * x[:, 1] + 3 * x[:, 1] * x[:, 2] - x[:, 0] * x[:, 3] + x[:, 2]

    x = rows(4, 4)
    found = explain(pairwise, x, method="permutation_shapley", samples=1)
    torch.testing.assert_close(found, explain(pairwise, x, method="exact_shapley"))


def test_many_orders_come_close_to_the_exact_values():
    model, x = smooth_net(), rows(3)
    found = explain(model, x, 1, method="permutation_shapley", samples=400)
    assert (found - explain(model, x, 1, method="exact_shapley")).abs().max() < 0.01


def test_no_samples_are_refused():
    with pytest.raises(RecipeError, match="samples is 0; expected at least 1"):
        explain(smooth_net(), rows(1), method="permutation_shapley", samples=0)
