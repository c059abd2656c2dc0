"""Each score against its definition, written out row by row."""

import math

import pytest
import torch

from corrigible.errors import RecipeError
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
