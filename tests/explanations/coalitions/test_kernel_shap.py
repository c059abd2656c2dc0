from functools import partial
from math import comb

import numpy as np
import pytest
import torch

from corrigible.errors import RecipeError
from corrigible.explanations import explain
from corrigible.explanations.coalitions.kernel_shap import kernel_coalitions_of, kernel_plans_of
from literal_games import LABELS, Wrapped, filled_value, logit, rows, smooth_net


def kernel(num_groups, size):
    """Theorem 2."""
    return (num_groups - 1) / (comb(num_groups, size) * size * (num_groups - size))


def regression(present, weight, value):
    """Weighted least squares with both constraints, as rows of enormous weight; the smallest solution."""
    num_groups = present.shape[1]
    none, every = value(frozenset()), value(frozenset(range(num_groups)))
    design = np.vstack([present, np.ones(num_groups)]).astype(float)
    wanted = [value(frozenset(np.flatnonzero(z))) - none for z in present] + [every - none]
    root = np.sqrt([*weight, 1e9])
    return np.linalg.lstsq(design * root[:, None], np.array(wanted) * root, rcond=1e-12)[0]


@pytest.mark.parametrize("samples", [4, 8, 12, 24, 62, 1000])
def test_it_solves_the_weighted_regression_on_its_coalitions(samples):
    model, x = smooth_net(6), rows(2, 6)
    found = explain(model, x, 1, method="kernel_shap", samples=samples, seed=3)
    present, weight = kernel_coalitions_of(6, samples=samples, seed=3)
    labels, start = torch.arange(6), torch.zeros(6, dtype=torch.float64)
    for row, attribution in zip(x, found, strict=True):
        value = partial(filled_value, logit(model, 1), row, labels, others=[start])
        expected = regression(present.numpy(), weight.tolist(), value)
        np.testing.assert_allclose(attribution.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("num_inputs", [1, 2, 3, 6])
def test_with_all_coalitions_it_is_exact(num_inputs):
    model, x = smooth_net(num_inputs), rows(3, num_inputs)
    found = explain(model, x, 1, method="kernel_shap", samples=max(2**num_inputs - 2, 2))
    torch.testing.assert_close(found, explain(model, x, 1, method="exact_shapley"), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("samples", [2, 3, 7, 64, 500])
@pytest.mark.parametrize("wrap", [lambda model: model, Wrapped], ids=["sequence", "module"])
def test_in_single_precision_too_it_sums_to_the_difference_of_the_scores(wrap, samples):
    model, x = smooth_net(20).float(), rows(8, 20).float()
    found = explain(wrap(model), x, 1, method="kernel_shap", samples=samples)
    difference = (model(x) - model(torch.zeros_like(x)))[:, 1]
    assert (found.sum(1) - difference).abs().max() < 1e-5


@pytest.mark.parametrize(("num_groups", "samples"), [(5, 8), (7, 20), (12, 100), (13, 301), (40, 200), (100, 2048)])
def test_coalitions_come_once_with_their_complement_and_weigh_as_much_as_all_together(num_groups, samples):
    present, weight = kernel_coalitions_of(num_groups, samples=samples, seed=0)
    assert samples - 1 <= len(present) <= samples
    codes = {tuple(z) for z in present.tolist()}
    assert len(codes) == len(present)
    assert {tuple(not one for one in z) for z in codes} == codes
    mass = [kernel(num_groups, s) * comb(num_groups, s) for s in range(1, num_groups)]
    assert weight.sum().item() == pytest.approx(sum(mass))


def test_sizes_that_would_be_drawn_anyway_are_taken_whole_with_the_kernels_weight():
    present, weight = kernel_coalitions_of(100, samples=2048, seed=0)
    size = present.sum(1)
    assert [(size == s).sum().item() for s in (1, 99)] == [100, 100]
    torch.testing.assert_close(weight[(size == 1) | (size == 99)].tolist(), [kernel(100, 1)] * 200)
    assert (size == 2).sum() < comb(100, 2)


def test_sizes_are_drawn_as_often_as_the_kernel_says():
    drawn = torch.zeros(11)
    for seed in range(300):
        present, weight = kernel_coalitions_of(12, samples=10, seed=seed)
        drawn.index_add_(0, present.sum(1) - 1, weight.float())
    mass = torch.tensor([kernel(12, s) * comb(12, s) for s in range(1, 12)])
    torch.testing.assert_close(drawn / drawn.sum(), mass / mass.sum(), atol=0.012, rtol=0)


def test_a_row_is_explained_as_it_is_alone_whatever_segments_the_others_have():
    model, x = smooth_net(20), rows(3, 20)
    segments = torch.stack([torch.arange(20) % 14, torch.arange(20) % 9 + 3, torch.arange(20) // 2 * 2])
    found = explain(model, x, 1, method="kernel_shap", samples=40, groups=segments)
    for i in range(3):
        alone = explain(model, x[i : i + 1], 1, method="kernel_shap", samples=40, groups=segments[i])
        torch.testing.assert_close(found[i : i + 1], alone)
    torch.testing.assert_close(found.sum(1), (model(x) - model(torch.zeros_like(x)))[:, 1].detach())


def test_many_groups_come_close_to_the_exact_values():
    model, x = smooth_net(12), rows(4, 12)
    exact = explain(model, x, 0, method="exact_shapley").flatten()
    found = explain(model, x, 0, method="kernel_shap", samples=600).flatten()
    assert torch.corrcoef(torch.stack([exact, found]))[0, 1] > 0.999


def test_the_plan_is_made_of_what_is_present():
    plans = list(kernel_plans_of(3, samples=6, seed=0))
    present, weights = torch.cat([plan.present for plan in plans]), torch.cat([plan.weights for plan in plans])
    assert present.sum(1).sort().values.tolist() == [0, 1, 1, 1, 2, 2, 2, 3]
    torch.testing.assert_close(weights.sum(0), torch.zeros(3, dtype=torch.float64))


def test_fewer_than_two_samples_are_refused():
    with pytest.raises(RecipeError, match="samples is 1; expected at least 2"):
        explain(smooth_net(), rows(1), method="kernel_shap", samples=1, groups=LABELS)
