from functools import partial
from itertools import combinations
from math import factorial

import pytest
import torch

from corrigible.errors import RecipeError
from corrigible.explanations import explain
from corrigible.explanations.interactions import shapley_interactions
from literal_games import COLUMNS, LABELS, Wrapped, coalitions, filled_value, logit, rows, shapley_by_orders, smooth_net


def literal_matrix(value, num_groups):
    """The definition, pair by pair and coalition by coalition."""
    matrix = torch.zeros(num_groups, num_groups, dtype=torch.float64)
    for i, j in combinations(range(num_groups), 2):
        for others in coalitions(num_groups):
            if others & {i, j}:
                continue
            weight = factorial(len(others)) * factorial(num_groups - len(others) - 2) / factorial(num_groups - 1)
            together = value(others | {i, j}) - value(others | {i}) - value(others | {j}) + value(others)
            matrix[i, j] += weight * together / 2
        matrix[j, i] = matrix[i, j]
    for group, total in enumerate(shapley_by_orders(value, num_groups)):
        matrix[group, group] = total - matrix[group].sum()
    return matrix


@pytest.mark.parametrize("wrap", [lambda model: model, Wrapped], ids=["sequence", "module"])
def test_it_is_the_weighted_sum_of_what_pairs_add_together(wrap):
    model, x, others, target = smooth_net(), rows(2), rows(4, seed=2), torch.tensor([1, 2])
    for settings, fillings in (({"baseline": 0.5}, [torch.full((5,), 0.5).double()]), ({"background": others}, others)):
        found = shapley_interactions(wrap(model), x, target, columns=COLUMNS, **settings)
        for row, label, matrix in zip(x, target.tolist(), found, strict=True):
            value = partial(filled_value, logit(model, label), row, LABELS, others=fillings)
            torch.testing.assert_close(matrix, literal_matrix(value, 3))


def test_a_product_is_an_interaction_and_a_sum_is_none():
    x = torch.tensor([[2.0, 3.0, 1.0]])
    found = shapley_interactions(lambda x: x[:, 0] * x[:, 1] + 5 * x[:, 2], x, None)
    assert found.tolist() == [[[0.0, 3.0, 0.0], [3.0, 0.0, 0.0], [0.0, 0.0, 5.0]]]


@pytest.mark.parametrize("num_inputs", [1, 2, 6, 17])
def test_it_is_symmetric_and_all_of_it_sums_to_the_difference_of_the_scores(num_inputs):
    model, x = smooth_net(num_inputs), rows(3, num_inputs)
    found = shapley_interactions(model, x, torch.ones(3, dtype=torch.long), samples=1)
    assert torch.equal(found, found.transpose(1, 2))
    difference = (model(x) - model(torch.zeros_like(x)))[:, 1].detach()
    torch.testing.assert_close(found.sum((1, 2)), difference)
    if num_inputs <= 6:
        exact = explain(model, x, 1, method="exact_shapley")
        torch.testing.assert_close(found.sum(2), exact)


def test_more_groups_are_sampled_and_come_close_to_what_fewer_show_exactly():
    model, x, target = smooth_net(18), rows(2, 18), torch.tensor([0, 1])
    model[0].weight.data[:, 5:] = 0
    exact = shapley_interactions(model, x, target, groups=torch.arange(18).clamp_max(5))
    found = shapley_interactions(model, x, target, samples=40)
    assert (found[:, :5, :5] - exact[:, :5, :5]).abs().max() < 0.06
    assert exact[:, :5, :5].abs().max() > 0.2
    assert found[:, 5:].abs().max() < 1e-12
    first = shapley_interactions(model, x[:1], target[:1], samples=40, rows_at_once=500)
    torch.testing.assert_close(first, found[:1])


def test_of_products_of_two_one_sample_is_exact_however_many_groups():
    def pairwise(x):
        return x[:, 0] * x[:, 1] - 2 * x[:, 2] * x[:, 16] + x[:, 3]

    x = rows(2, 17)
    found = shapley_interactions(pairwise, x, torch.tensor([0, 0]), samples=1)
    expected = torch.zeros(2, 17, 17, dtype=torch.float64)
    expected[:, 0, 1] = expected[:, 1, 0] = x[:, 0] * x[:, 1] / 2
    expected[:, 2, 16] = expected[:, 16, 2] = -x[:, 2] * x[:, 16]
    expected[:, 3, 3] = x[:, 3]
    torch.testing.assert_close(found, expected)


def test_rows_with_fewer_segments_end_in_zeros():
    model, x = smooth_net(), rows(2)
    segments = torch.tensor([[0, 1, 2, 3, 3], [4, 4, 4, 1, 1]])
    found = shapley_interactions(model, x, torch.tensor([0, 0]), groups=segments)
    assert found.shape == (2, 4, 4)
    assert found[1, 2:].abs().sum() == 0 and found[1, :, 2:].abs().sum() == 0
    alone = shapley_interactions(model, x[1:], torch.tensor([0]), groups=segments[1])
    torch.testing.assert_close(found[1:, :2, :2], alone)


@pytest.mark.parametrize(
    ("inputs", "settings", "message"),
    [
        (129, {}, "^129 groups; expected at most 128: form larger ones$"),
        (3, {"samples": 0}, "^samples is 0; expected at least 1$"),
    ],
)
def test_too_many_groups_and_no_samples_are_refused(inputs, settings, message):
    with pytest.raises(RecipeError, match=message):
        shapley_interactions(lambda x: x.sum(1), torch.ones(1, inputs), None, **settings)
