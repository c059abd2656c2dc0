"""Concept directions, where the layer's activations are known."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cosine_similarity

from conftest import case_named
from corrigible.errors import DataError, UnsupportedModelError
from corrigible.explanations.concepts import (
    concept_layer_of,
    concept_sensitivity,
    concept_test,
    concept_vector,
    pattern,
    pooled,
    pooled_activations,
)
from corrigible.models.forward import Forward


def identity_layer(num_classes: int = 2) -> nn.Sequential:
    """The layer ``0`` gives its three inputs as they are; a linear classifier follows."""
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, num_classes, bias=False)).double()
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(3))
        model[1].weight.copy_(torch.tensor([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]]))
    return model


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_pattern_is_covariance_over_variance_of_the_labels():
    """Up to length, whatever the numbers of examples: cov(a, y) / var(y)."""
    present, absent = noise(5, 4), noise(9, 4, seed=1) + 1
    y = torch.tensor([1.0] * 5 + [0.0] * 9, dtype=torch.float64)
    activations = torch.cat([present, absent])
    covariance = ((activations - activations.mean(0)) * (y - y.mean())[:, None]).mean(0)
    torch.testing.assert_close(pattern(present, absent), covariance / (y - y.mean()).square().mean())


def test_a_shift_is_found_and_has_length_one():
    shift, x = torch.tensor([0.0, 3.0, 4.0], dtype=torch.float64), noise(20, 3)
    found = concept_vector(identity_layer(), x + shift, x, layer="0")
    torch.testing.assert_close(found, shift / 5)


def test_shared_noise_turns_the_classifier_away_but_not_the_pattern():
    """The first input carries the concept and noise, the second the same noise alone."""
    distractor = noise(400, 1)
    x = torch.cat([distractor, distractor, torch.zeros_like(distractor)], dim=1) + 0.1 * noise(400, 3, seed=1)
    present = x[:200] + torch.tensor([1.0, 0.0, 0.0])
    concept = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    by_pattern, by_classifier = (
        concept_vector(identity_layer(), present, x[200:], layer="0", method=method)
        for method in ("pattern", "logistic")
    )
    assert cosine_similarity(by_pattern, concept, dim=0) > 0.95
    assert cosine_similarity(by_classifier, concept, dim=0) < 0.9
    torch.testing.assert_close(by_classifier.norm(), torch.tensor(1.0, dtype=torch.float64))
    # Yet it tells the two kinds of examples apart.
    assert (present @ by_classifier).min() > (x[200:] @ by_classifier).quantile(0.99)


def test_sensitivity_of_a_linear_classifier_is_its_weight_along_the_vector():
    vector = torch.tensor([0.6, 0.8, 0.0], dtype=torch.float64)
    found = concept_sensitivity(identity_layer(), noise(4, 3), torch.tensor([0, 1, 0, 1]), vector, layer="0")
    torch.testing.assert_close(found, torch.tensor([-1.0, 0.0, -1.0, 0.0], dtype=torch.float64))


def test_sensitivity_of_a_map_is_the_slope_when_every_position_moves(smooth_case):
    model, batch, vector = smooth_case.model, smooth_case.batch, torch.tensor([0.6, -0.8], dtype=torch.float64)
    activation, step = model[0](batch.x), 1e-6 * vector[:, None, None]
    slopes = (model[1:](activation + step) - model[1:](activation - step)) / 2e-6
    expected = slopes.gather(1, batch.y[:, None])[:, 0].detach()
    torch.testing.assert_close(
        concept_sensitivity(model, batch.x, batch.y, vector, layer="0"), expected, rtol=1e-6, atol=1e-9
    )


def test_tcav_counts_the_rows_that_the_concept_raises():
    y = torch.zeros(30, dtype=torch.long)
    up, down = torch.tensor([1.0, 0, 0]), torch.tensor([0, 1.0, 0])
    model, x = identity_layer(), noise(30, 3)
    assert concept_test(model, x, y, up, layer="0").score == 1
    assert concept_test(model, x, y, down, layer="0").score == 0
    # Every direction raises the score of a linear classifier on all rows or on none: none stands out.
    assert concept_test(model, x, y, up, layer="0").p_value == 1


def test_tcav_is_sure_of_a_direction_that_alone_matters_alike_on_every_row():
    """The score is 10 a₀ + ½ Σ aᵢ² over 29 others, whose slopes change sign from row to row."""

    class Score(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            a = self.layer(x)
            return 0.1 * a[:, 0] + a[:, 1:].square().sum(dim=1) / 2

    first = torch.eye(30, dtype=torch.float64)[0]
    y = torch.zeros(400, dtype=torch.long)
    found = concept_test(Score(), noise(400, 30), y, first, layer="layer")
    assert found.score == 1
    assert found.p_value == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("lenet", "3"),
        ("batchnorm_resnet", "block.conv2"),
        ("functional_relu", "conv"),
        ("one_hot_table", "5"),
        ("text_cnn", "convolutions.2"),
    ],
)
def test_layer_is_the_last_convolution_or_the_one_before_the_logits(name, layer):
    case = case_named(name)
    assert concept_layer_of(Forward(case.model, case.batch)) == layer


def test_a_network_of_one_layer_has_no_place_for_a_concept():
    with pytest.raises(UnsupportedModelError, match="no layer before the logits"):
        pooled_activations(nn.Linear(3, 2).double(), noise(2, 3))


def test_channels_of_a_linear_layer_over_tokens_come_last():
    model = nn.Sequential(nn.Linear(3, 5), nn.Conv1d(4, 6, 1))
    tokens = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(pooled(model, "0", tokens), tokens.mean(dim=1))
    torch.testing.assert_close(pooled(model, "1", tokens), tokens.mean(dim=2))


def test_examples_without_a_difference_are_refused():
    x = noise(4, 3)
    with pytest.raises(DataError, match="the same with and without"):
        concept_vector(identity_layer(), x, x, layer="0")
    with pytest.raises(DataError, match="0 with and 4 without"):
        concept_vector(identity_layer(), x[:0], x, layer="0")
