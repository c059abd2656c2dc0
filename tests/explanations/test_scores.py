"""Each score against its definition, written out row by row."""

import math

import pytest
import torch

from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.explanations.scores import (
    SCORE_NAMES,
    SCORES,
    margin,
    predicted_logit,
    score_named,
    summed_log_prob,
    target_log_prob,
    target_logit,
    target_prob,
)
from corrigible.models.ensemble import Ensemble
from corrigible.models.forward import Forward
from corrigible.types import Batch

LOGITS = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 2.0], [-1.0, -1.0, 4.0]])
TARGET = torch.tensor([2, 1, 0])


def log_prob(row: int, label: int) -> float:
    values = LOGITS[row].tolist()
    return values[label] - math.log(sum(math.exp(value) for value in values))


def slow_margin(row: int, label: int) -> float:
    values = LOGITS[row].tolist()
    return values[label] - max(value for other, value in enumerate(values) if other != label)


@pytest.mark.parametrize(
    ("score", "definition"),
    [
        (target_logit, lambda row, label: LOGITS[row, label].item()),
        (target_log_prob, log_prob),
        (target_prob, lambda row, label: math.exp(log_prob(row, label))),
        (summed_log_prob, lambda row, label: sum(log_prob(row, other) for other in range(3))),
        (predicted_logit, lambda row, label: max(LOGITS[row].tolist())),
        (margin, slow_margin),
    ],
)
def test_score_equals_its_definition(score, definition):
    expected = [definition(row, label) for row, label in enumerate(TARGET.tolist())]
    torch.testing.assert_close(score(LOGITS, TARGET), torch.tensor(expected))


def test_margin_has_the_sign_of_being_right():
    assert margin(LOGITS, TARGET).sign().tolist() == [-1.0, 1.0, -1.0]
    assert margin(torch.zeros(1, 3), torch.tensor([1])).item() == 0


@pytest.fixture
def forward() -> Forward:
    return Forward(torch.nn.Identity(), Batch(torch.tensor([4, 9, 2]), LOGITS, TARGET), seed=7)


@pytest.mark.parametrize("name", SCORE_NAMES)
def test_every_name_gives_its_score(name, forward):
    score = score_named(name, forward)
    assert score == SCORES.get(name, score_named(name, forward))
    assert score(LOGITS, TARGET).shape == (3,)


def test_a_misspelt_score_is_an_error_naming_the_right_one(forward):
    with pytest.raises(RecipeError, match="unknown score 'target_logits': did you mean 'target_logit'"):
        score_named("target_logits", forward)


def test_random_projection_weights_the_log_probabilities_by_the_pass_draws(forward):
    direction = forward.normal("random_projection", 3)
    expected = [sum(direction[row, label] * log_prob(row, label) for label in range(3)) for row in range(3)]
    torch.testing.assert_close(score_named("random_projection", forward)(LOGITS, TARGET), torch.stack(expected))


def test_random_projection_is_one_score_per_pass(forward):
    """Penalties that ask for it separately share its gradient."""
    first = forward.input_gradient(score_named("random_projection", forward), TARGET)
    assert forward.input_gradient(score_named("random_projection", forward), TARGET) is first


def ensemble() -> Ensemble:
    torch.manual_seed(0)
    return Ensemble([torch.nn.Linear(3, 3) for _ in range(2)]).double()


def test_member_projection_weights_the_log_probabilities_of_each_member_by_its_own_draws():
    model, batch = ensemble(), Batch(torch.tensor([4, 9, 2]), LOGITS.double(), TARGET)
    forward = Forward(model, batch, seed=7)
    direction = forward.normal("member_projection", 3, 2)
    each = torch.stack([member(batch.x).log_softmax(1) for member in model.members], dim=2)
    score = score_named("member_projection", forward)
    torch.testing.assert_close(score(forward.outputs, TARGET), (each * direction).sum(dim=(1, 2)) / 2**0.5)
    some = score_named("member_projection", forward, classes=[2, 0])
    expected = (each * direction)[:, [0, 2]].sum(dim=(1, 2)) / 2**0.5
    torch.testing.assert_close(some(forward.outputs, TARGET), expected)


def test_the_squared_gradient_of_member_projection_is_on_average_that_of_the_members():
    model, x = ensemble(), LOGITS.double()[:1].expand(4000, 3)
    forward = Forward(model, Batch(torch.arange(4000), x, torch.zeros(4000, dtype=torch.long)))
    found = forward.input_gradient(score_named("member_projection", forward), forward.target).square().mean(0)
    jacobians = [
        torch.func.jacrev(lambda row, member=member: member(row).log_softmax(0))(x[0]) for member in model.members
    ]
    expected = torch.stack([jacobian.square().sum(0) for jacobian in jacobians]).mean(0)
    torch.testing.assert_close(found, expected, rtol=0.1, atol=0)


def test_member_projection_of_what_is_no_ensemble_or_of_other_outputs_is_refused(forward):
    with pytest.raises(UnsupportedModelError, match="no Ensemble in it"):
        score_named("member_projection", forward)(forward.outputs, TARGET)
    with pytest.raises(UnsupportedModelError, match="explain a member by itself"):
        score_named("member_projection", forward)(LOGITS + 1, TARGET)
