"""Attributions from one more pass of a model, against those that explainers give."""

from math import inf

import pytest
import torch
from torch import nn

from corrigible.errors import DataError, RecipeError
from corrigible.explanations import explain
from corrigible.explanations.attribution.expected_gradients import expected_gradients_of
from corrigible.explanations.attribution.integrated_gradients import integrated_gradients_of
from corrigible.explanations.attribution.paths import path_attribution_of
from corrigible.explanations.features import mean_sizes
from corrigible.explanations.passes import pass_over
from corrigible.explanations.scores import SCORE_NAMES, SCORES, score_named
from corrigible.models.forward import Forward
from corrigible.models.modes import untouched
from corrigible.types import Batch, Columns


@pytest.fixture
def rows() -> tuple[nn.Module, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A smooth network, rows, targets and a background."""
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).double()
    x = torch.randn(5, 4, dtype=torch.float64, generator=generator)
    background = torch.randn(7, 4, dtype=torch.float64, generator=generator)
    return model, x, torch.tensor([0, 2, 1, 1, 0]), background


@pytest.mark.parametrize("samples", [1, 6])
@pytest.mark.parametrize("score", SCORE_NAMES)
def test_expected_gradients_of_a_pass_are_the_explainers(score, samples, rows):
    model, x, target, background = rows
    settings = {"background": background, "samples": samples, "score": score}
    with untouched(model, 3):
        found = expected_gradients_of(pass_over(model, x, target, seed=3), target, **settings)
    torch.testing.assert_close(found, explain(model, x, target, method="expected_gradients", seed=3, **settings))


@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("score", SCORES)
def test_integrated_gradients_of_a_pass_are_the_explainers(score, steps, rows):
    model, x, target, _ = rows
    with untouched(model, 0):
        found = integrated_gradients_of(pass_over(model, x, target), target, steps=steps, score=score)
    expected = explain(model, x, target, method="integrated_gradients", steps=steps, score=score, tolerance=inf)
    torch.testing.assert_close(found, expected)


def test_one_sample_is_the_gradient_at_one_random_point_on_the_way_from_one_random_row(rows):
    """By hand, row by row: reference number ⌊7 u⌋, and the share v of the way from it."""
    model, x, target, background = rows
    forward = Forward(model, Batch(torch.arange(5), x, target), seed=4)
    found = expected_gradients_of(forward, target, background=background)
    draws = forward.uniform("expected_gradients", 1, 2)
    assert draws.shape == (5, 1, 2)
    for row, (chosen, share) in enumerate(draws[:, 0].tolist()):
        reference = background[int(chosen * 7)]
        at = (reference + share * (x[row] - reference)).requires_grad_()
        (gradient,) = torch.autograd.grad(model(at)[target[row]], at)
        torch.testing.assert_close(found[row], (x[row] - reference) * gradient)


def test_sums_to_the_difference_of_scores_in_the_mean_over_draws(rows):
    model, x, target, background = rows
    forward = Forward(model, Batch(torch.arange(5), x, target))
    sums = expected_gradients_of(forward, target, background=background, samples=4000).sum(1)
    score = score_named("target_logit", forward)
    of_background = torch.stack([score(model(background), label.expand(7)).mean() for label in target])
    torch.testing.assert_close(sums, score(model(x), target) - of_background, rtol=0, atol=0.1)


def test_columns_of_a_category_sum_to_zero_for_a_constant_and_stay_complete():
    """A constant on all of a category's columns is nothing; with categories as references nothing is lost."""
    columns = Columns(("dose", "site=a", "site=b"), ("dose", "site", "site"), (False, True, True))
    model = nn.Linear(3, 2).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[2.0, 5.0, 5.0], [0.0, 1.0, 4.0]]))
    x = torch.tensor([[1.0, 1, 0], [2, 0, 1]], dtype=torch.float64)
    for label, expected in ((0, [[1.0, 0], [2, 0]]), (1, [[0.0, 0.0], [0, 3.0]])):
        target = torch.full((2,), label)
        forward = Forward(model, Batch(torch.arange(2), x, target, columns=columns))
        references = torch.tensor([[0.5, 1, 0]], dtype=torch.float64)
        found = expected_gradients_of(forward, target, background=references)
        dose = (x[:, 0] - 0.5) * model.weight[label, 0].item()
        site = torch.tensor(expected, dtype=torch.float64)[:, 1]
        torch.testing.assert_close(found[:, 0], dose)
        torch.testing.assert_close(found[:, 1:].sum(1), site)
        torch.testing.assert_close(mean_sizes(found, columns), torch.stack([dose.mean(), site.mean()]).abs())


@pytest.mark.parametrize("method", ["expected_gradients", "integrated_gradients"])
def test_of_a_table_they_are_the_explainers_too(method, rows):
    """Without a background, from an even mix of categories."""
    columns = Columns(("dose", "site=a", "site=b", "site=c"), ("dose", *["site"] * 3), (False, True, True, True))
    model, x, target, _ = rows
    x = torch.cat([x[:, :1], torch.eye(3).double()[[0, 2, 1, 1, 0]]], dim=1)
    with untouched(model, 3):
        forward = pass_over(model, x, target, columns=columns, seed=3)
        found = path_attribution_of(
            forward, target, attribution=method, background=None, samples=7, score="target_logit"
        )
    points = {"samples" if method == "expected_gradients" else "steps": 7}
    torch.testing.assert_close(found, explain(model, x, target, method=method, columns=columns, seed=3, **points))


def test_mean_sizes_without_columns_are_those_of_the_inputs():
    attribution = torch.tensor([[[1.0, -2.0]], [[3.0, 0.0]]])
    assert mean_sizes(attribution, None).tolist() == [2.0, 1.0]


def test_normalisation_layers_learn_nothing_from_the_points(resnet_case):
    model, batch = resnet_case.model.train(), resnet_case.batch
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = expected_gradients_of(Forward(model, batch), batch.y)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training
    torch.testing.assert_close(found, expected_gradients_of(Forward(model.eval(), batch), batch.y))


@pytest.mark.parametrize("attribution", ["expected_gradients", "integrated_gradients"])
def test_what_does_not_fit_is_refused(attribution, rows):
    model, x, target, background = rows
    forward = Forward(model, Batch(torch.arange(5), x, target))
    settings = {"attribution": attribution, "background": background, "samples": 1, "score": "target_logit"}
    with pytest.raises(RecipeError, match="is 0; expected at least 1"):
        path_attribution_of(forward, target, **settings | {"samples": 0})
    with pytest.raises(RecipeError, match="did you mean 'target_logit'"):
        path_attribution_of(forward, target, **settings | {"score": "target_logits"})
    if attribution == "expected_gradients":
        with pytest.raises(DataError, match="background has shape"):
            path_attribution_of(forward, target, **settings | {"background": background[:, :2]})
