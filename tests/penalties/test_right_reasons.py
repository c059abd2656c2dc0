"""Right for the right reasons, against its equation written out."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import log_softmax

from corrigible.errors import RecipeError
from corrigible.explanations.scores import SCORE_NAMES, score_named
from corrigible.models import table_mlp
from corrigible.models.forward import Forward
from corrigible.objective import terms_of
from corrigible.penalties import right_reasons
from corrigible.types import Batch


def test_equation_1_row_by_row_and_class_by_class(case):
    """Sum over rows n and marked inputs d of (∂/∂x_nd Σ_k log ŷ_nk)², over the number of marked inputs."""
    batch = replace(case.batch, columns=None)
    total, num_marked = 0.0, 0
    for row in range(len(batch.x)):
        gradient = torch.zeros_like(batch.x[row])
        for label in range(case.model(batch.x[:1]).shape[1]):
            x = batch.x[row : row + 1].clone().requires_grad_()
            gradient += torch.autograd.grad(log_softmax(case.model(x), dim=1)[0, label], x)[0][0]
        for size, is_irrelevant in zip(gradient.flatten().tolist(), batch.irrelevant[row].flatten(), strict=True):
            total += size**2 if is_irrelevant else 0.0
            num_marked += int(is_irrelevant)
    found = right_reasons(Forward(case.model, batch), batch, score="summed_log_prob")
    torch.testing.assert_close(found, torch.tensor(total / num_marked, dtype=torch.float64))


def test_l1_takes_sizes_instead_of_squares(case):
    forward = Forward(case.model, case.batch)
    gradient = forward.input_gradient(lambda logits, _: log_softmax(logits, dim=1).sum(dim=1), case.batch.y)
    expected = gradient[case.batch.irrelevant].abs().mean()
    found = right_reasons(forward, case.batch, score="summed_log_prob", norm="l1")
    torch.testing.assert_close(found, expected)


def jacobian_rows(model: nn.Module, num_rows: int, *, one_index: bool = False) -> Batch:
    """The same inputs again and again, as different rows or as one."""
    x = torch.tensor([[0.3, -1.0, 0.5]], dtype=torch.float64).repeat(num_rows, 1)
    index = torch.zeros(num_rows, dtype=torch.long) if one_index else torch.arange(num_rows)
    marked = torch.ones_like(x, dtype=torch.bool)
    return Batch(index, x, torch.zeros(num_rows, dtype=torch.long), marked)


@pytest.fixture
def model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 4)).double()


def projected(model: nn.Module, batch: Batch, seed: int) -> torch.Tensor:
    forward = Forward(model, batch, seed=seed)
    return forward.input_gradient(score_named("random_projection", forward), batch.y).detach()


def test_projection_is_the_default(smooth_case):
    found = [
        right_reasons(Forward(smooth_case.model, smooth_case.batch), smooth_case.batch, **settings)
        for settings in ({}, {"score": "random_projection"}, {"score": "summed_log_prob"})
    ]
    assert found[0] == found[1] != found[2]


def test_mean_over_draws_is_the_squared_norm_of_the_jacobian(model):
    """E[(vᵀJ)ᵢ²] = ‖J₍:,ᵢ₎‖² over 4,000 draws: no class can cancel another."""
    batch = jacobian_rows(model, 1_000)
    jacobian = torch.autograd.functional.jacobian(lambda x: log_softmax(model(x), dim=-1), batch.x[0])
    expected = jacobian.square().sum(0)
    squares = torch.stack([projected(model, batch, seed).square() for seed in range(4)])
    torch.testing.assert_close(squares.mean((0, 1)), expected, rtol=0.05, atol=0)
    penalty = torch.stack([right_reasons(Forward(model, batch, seed=s), batch).detach() for s in range(4)]).mean()
    torch.testing.assert_close(penalty, expected.mean(), rtol=0.05, atol=0)


def test_draws_are_fresh_per_row_and_per_step(model):
    gradient = projected(model, jacobian_rows(model, 8), seed=0)
    assert len(gradient[:, 0].unique()) == 8
    same_row = projected(model, jacobian_rows(model, 8, one_index=True), seed=0)
    torch.testing.assert_close(same_row, same_row[:1].expand_as(same_row))
    steps = [projected(model, jacobian_rows(model, 1), seed)[0, 0].item() for seed in range(8)]
    assert len(set(steps)) == 8


def test_summed_log_probs_can_cancel_where_the_projection_cannot():
    """Two classes at even odds, moved apart by the confounder: the sum of their log-probabilities stands still."""
    model = nn.Linear(1, 2, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0], [-1.0]]))
    batch = Batch(torch.arange(1), torch.zeros(1, 1).double(), torch.tensor([0]), torch.ones(1, 1, dtype=torch.bool))
    assert right_reasons(Forward(model, batch), batch, score="summed_log_prob") == 0
    assert right_reasons(Forward(model, batch), batch) > 0


@pytest.mark.parametrize("score", SCORE_NAMES)
@pytest.mark.parametrize("norm", ["l2", "l1", "cosine"])
def test_every_score_and_norm_reaches_the_weights(score, norm):
    """Raw outputs give a gradient that the last bias cannot change; log-probabilities reach it too."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = table_mlp(5, 3, hidden=(6, 4), dropout=0.0).double()
        x = torch.randn(4, 5, dtype=torch.float64)
    batch = Batch(torch.arange(4), x, torch.arange(4) % 3, torch.ones_like(x, dtype=torch.bool))
    penalty = right_reasons(Forward(model, batch), batch, score=score, norm=norm)
    names, parameters = zip(*model.named_parameters(), strict=True)
    gradients = torch.autograd.grad(penalty, parameters, allow_unused=True)
    unreached = {n for n, g in zip(names, gradients, strict=True) if g is None or not g.any()}
    is_linear = score in ("target_logit", "target_output", "predicted_logit", "margin")
    assert unreached == ({names[-1]} if is_linear else set())


def test_a_misspelt_score_is_refused(smooth_case):
    with pytest.raises(RecipeError, match="did you mean 'summed_log_prob'"):
        right_reasons(Forward(smooth_case.model, smooth_case.batch), smooth_case.batch, score="sumed_log_prob")


def slow_cosine(gradient: torch.Tensor, irrelevant: torch.Tensor) -> float:
    """The cosine of the angle between a row's absolute gradient and its mask, number by number."""
    sizes, marks = gradient.abs().flatten().tolist(), irrelevant.flatten().tolist()
    dot = sum(size * mark for size, mark in zip(sizes, marks, strict=True))
    lengths = [math.sqrt(sum(value**2 for value in values)) for values in (sizes, marks)]
    return dot / (lengths[0] * lengths[1])


def test_cosine_is_that_of_each_rows_gradient_and_mask_in_the_mean_over_marked_rows(case):
    irrelevant = case.batch.irrelevant.clone()
    irrelevant[1] = False
    batch = replace(case.batch, irrelevant=irrelevant)
    forward = Forward(case.model, batch)
    gradient = forward.input_gradient(score_named("target_log_prob", forward), batch.y)
    expected = [slow_cosine(gradient[row], irrelevant[row]) for row in (0, 2, 3)]
    found = right_reasons(forward, batch, score="target_log_prob", norm="cosine")
    assert found.item() == pytest.approx(sum(expected) / 3)


def test_shrinking_every_gradient_does_not_lower_the_cosine(model):
    batch = jacobian_rows(model, 4)
    batch = replace(batch, irrelevant=batch.irrelevant & torch.tensor([True, False, True]))

    def cosine(times: float) -> torch.Tensor:
        scaled = copy.deepcopy(model)
        with torch.no_grad():
            scaled[2].weight.mul_(times)
        return right_reasons(Forward(scaled, batch), batch, score="target_logit", norm="cosine")

    # Small enough for the squares of the gradients to be 0 as they stand.
    torch.testing.assert_close(cosine(1e-200), cosine(1.0))
    assert 0 < cosine(1.0) < 1


@pytest.mark.parametrize("score", SCORE_NAMES)
def test_gradient_of_the_cosine_equals_finite_differences(score, smooth_case):
    model, batch = smooth_case.model, smooth_case.batch
    assert torch.autograd.gradcheck(
        lambda *_: right_reasons(Forward(model, batch), batch, score=score, norm="cosine"),
        tuple(model.parameters()),
        fast_mode=True,
        atol=1e-8,
    )


@pytest.mark.parametrize("marked", [False, True])
def test_cosine_of_nothing_is_zero_with_gradients_that_are_numbers(marked, model):
    """Where no input is marked, and where the gradient is 0 throughout."""
    with torch.no_grad():
        model[0].weight.mul_(0.0 if marked else 1.0)
    batch = jacobian_rows(model, 3)
    batch = replace(batch, irrelevant=batch.irrelevant & marked)
    found = right_reasons(Forward(model, batch), batch, norm="cosine")
    gradients = torch.autograd.grad(found, list(model.parameters()), allow_unused=True)
    assert found == 0
    assert all(gradient.isfinite().all() for gradient in gradients if gradient is not None)


def test_classes_restrict_the_sum_to_their_log_probabilities(case):
    forward = Forward(case.model, case.batch)
    num_classes = forward.logits.shape[1]
    gradient = forward.input_gradient(lambda logits, _: log_softmax(logits, dim=1)[:, 1], case.batch.y)
    expected = gradient[case.batch.irrelevant].square().mean()
    found = right_reasons(forward, case.batch, score="summed_log_prob", classes=[1])
    torch.testing.assert_close(found, expected)
    everything = right_reasons(forward, case.batch, score="summed_log_prob", classes=range(num_classes))
    torch.testing.assert_close(everything, right_reasons(forward, case.batch, score="summed_log_prob"))


def test_classes_restrict_the_projection_to_their_log_probabilities(case):
    forward = Forward(case.model, case.batch)
    draws = forward.normal("random_projection", forward.logits.shape[1])[:, 1]
    gradient = forward.input_gradient(lambda logits, _: draws * log_softmax(logits, dim=1)[:, 1], case.batch.y)
    torch.testing.assert_close(
        right_reasons(forward, case.batch, classes=[1]), gradient[case.batch.irrelevant].square().mean()
    )


@pytest.mark.parametrize("score", ["target_logit", "target_log_prob", "target_prob", "margin"])
def test_classes_restrict_a_target_score_to_the_rows_of_these_classes(score, case):
    forward, batch = Forward(case.model, case.batch), case.batch
    chosen = batch.irrelevant & (batch.y == 1).reshape(-1, *[1] * (batch.x.ndim - 1))
    found = right_reasons(forward, batch, score=score, classes=[1])
    of_rows = replace(batch, irrelevant=chosen)
    torch.testing.assert_close(found, right_reasons(Forward(case.model, of_rows), of_rows, score=score))
    assert 0 < found != right_reasons(forward, batch, score=score)


def test_classes_restrict_the_predicted_logit_to_the_rows_predicted_as_them(model):
    batch = replace(jacobian_rows(model, 3), x=torch.tensor([[3.0, 0, 0], [-3, 0, 0], [0, 0, 3]]).double())
    forward = Forward(model, batch)
    predicted = forward.logits.argmax(dim=1)
    assert len(predicted.unique()) > 1
    gradient = forward.input_gradient(lambda logits, _: logits.amax(dim=1), batch.y)
    expected = gradient[predicted == predicted[0]].square().mean()
    found = right_reasons(forward, batch, score="predicted_logit", classes=[int(predicted[0])])
    torch.testing.assert_close(found, expected)


def test_no_row_of_the_classes_gives_zero(model):
    batch = jacobian_rows(model, 3)
    assert right_reasons(Forward(model, batch), batch, score="target_logit", classes=[2]) == 0


def test_restricted_scores_share_a_gradient(case):
    forward = Forward(case.model, case.batch)
    for name in ("random_projection", "summed_log_prob"):
        first, second, other = (score_named(name, forward, classes=chosen) for chosen in ([0, 1], (1, 0), [1]))
        gradient = forward.input_gradient(first, case.batch.y)
        assert forward.input_gradient(second, case.batch.y) is gradient
        assert forward.input_gradient(other, case.batch.y) is not gradient


@pytest.mark.parametrize("classes", [[], [3], [-1]])
def test_classes_that_the_model_lacks_are_refused(classes, smooth_case):
    with pytest.raises(RecipeError, match="expected at least one of 0 to 2"):
        right_reasons(Forward(smooth_case.model, smooth_case.batch), smooth_case.batch, classes=classes)


def test_a_recipe_gives_classes_as_a_list():
    (term,) = terms_of({"right_reasons": {"weight": 1.0, "classes": [0, 2]}})
    assert term.method.settings == {"classes": [0, 2]}
    for wrong in (1, "0", [0.5]):
        with pytest.raises(RecipeError, match="setting 'classes'"):
            terms_of({"right_reasons": {"weight": 1.0, "classes": wrong}})
