"""Explanations that forget pass the check, those that never knew fail it."""

import pytest
import torch
from torch import nn

from corrigible.data.dataset import TensorData
from corrigible.errors import UnsupportedModelError
from corrigible.explanations import explain
from corrigible.explanations.quality import rank_correlation
from corrigible.explanations.trust.edge_detector import edge_detector
from corrigible.explanations.trust.randomisation import (
    cascading_randomisation,
    depends_on_weights,
    independent_randomisation,
)
from corrigible.explanations.trust.similarity import Comparison
from corrigible.models.fresh_weights import with_fresh
from corrigible.types import Measurement


@pytest.fixture
def model():
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(256, 8), nn.ReLU(), nn.Linear(8, 3))


X = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
DOWNWARDS = ["7", "5", "2", "0"]


def test_a_cascade_goes_from_the_output_down_and_keeps_the_layers_it_has_passed_fresh(model):
    cascade = cascading_randomisation(model, X, method="input_gradient", seed=3)
    assert [comparison.part for comparison in cascade] == DOWNWARDS
    predicted = model(X).argmax(1)
    trained = explain(model, X, predicted, method="input_gradient")
    for place, comparison in enumerate(cascade):
        fresh = with_fresh(model, tuple(DOWNWARDS[: place + 1]), seed=3)
        maps = explain(fresh, X, predicted, method="input_gradient")
        expected = rank_correlation(trained.abs(), maps.abs()).mean().item()
        assert comparison.rank_correlation.value == pytest.approx(expected)
        assert comparison.rank_correlation.low <= expected <= comparison.rank_correlation.high
        assert comparison.rank_correlation.count == len(X)
        assert comparison.structural_similarity.value < 1


def test_layers_are_randomised_one_at_a_time_where_they_are_independent(model):
    alone = independent_randomisation(model, X, 1, method="gradient_x_input", seed=3)
    assert [comparison.part for comparison in alone] == DOWNWARDS
    maps = explain(with_fresh(model, ("2",), seed=3), X, 1, method="gradient_x_input")
    expected = rank_correlation(explain(model, X, 1, method="gradient_x_input"), maps).mean().item()
    assert alone[2].signed_rank_correlation.value == pytest.approx(expected)


def test_the_input_gradient_passes_the_check(model):
    assert depends_on_weights(cascading_randomisation(model, X, method="input_gradient"))


def test_an_edge_detector_fails_the_check(model):
    cascade = cascading_randomisation(model, X, method=edge_detector)
    assert not depends_on_weights(cascade)
    for comparison in cascade:
        for found in (comparison.rank_correlation, comparison.structural_similarity):
            assert found.value == pytest.approx(1)


@pytest.mark.parametrize(("high", "expected"), [(0.49, True), (0.5, False), (0.51, False)])
def test_the_whole_interval_must_lie_below_one_half(high, expected):
    alike, unlike = (Measurement("rank_correlation", 0.1, 0.0, end, 6) for end in (0.9, high))
    cascade = [Comparison(part, found, found, None) for part, found in (("2", alike), ("0", unlike))]
    assert depends_on_weights(cascade) == expected


def test_maps_that_are_the_same_everywhere_show_nothing(model):
    cascade = cascading_randomisation(model, X, method=lambda model, x, target: torch.ones_like(x))
    assert cascade[-1].rank_correlation.value is None
    assert not depends_on_weights(cascade)


def test_the_callers_model_is_left_as_it_was(model):
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    cascading_randomisation(model, X, method="grad_cam")
    assert model.training
    assert torch.equal(torch.get_rng_state(), random)
    assert not model._forward_hooks
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_layers_can_be_named_and_must_exist(model):
    chosen = cascading_randomisation(model, X, method="input_gradient", layers=["0", "7"])
    assert [comparison.part for comparison in chosen] == ["7", "0"]
    with pytest.raises(UnsupportedModelError, match="unknown layer '1': .*known: 0, 2, 5, 7"):
        cascading_randomisation(model, X, layers=["1"])


def test_a_table_is_compared_without_structure():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))
    found = cascading_randomisation(model, torch.randn(4, 5), steps=5)
    assert [comparison.structural_similarity for comparison in found] == [None, None]


def test_a_regression_is_explained_itself_or_as_its_task_says():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))
    x = torch.randn(12, 6)
    task = TensorData(x, torch.arange(12.0), task="counts").task
    for settings in ({}, {"task": task, "score": "target_value"}):
        cascade = cascading_randomisation(model, x, method="input_gradient", **settings)
        assert len(cascade) == 2 and cascade[-1].rank_correlation.value < 0.8
