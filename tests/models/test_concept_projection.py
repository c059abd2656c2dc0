"""A layer without a concept."""

import pytest
import torch
from torch import nn

from corrigible.errors import UnsupportedModelError
from corrigible.explanations import explain
from corrigible.explanations.concepts import concept_layer_of, concept_sensitivity, pooled, pooled_activations
from corrigible.models.concept_projection import project_out
from corrigible.models.forward import Forward
from corrigible.models.weights import load_weights, save_weights
from corrigible.types import Batch


def direction_and_mean(model: nn.Module, x: torch.Tensor) -> tuple[str, torch.Tensor, torch.Tensor]:
    layer = concept_layer_of(Forward(model, _batch(x)))
    activations = pooled_activations(model, x, layer=layer)
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(activations.shape[1], generator=generator, dtype=torch.float64)
    return layer, direction, activations.mean(dim=0)


def _batch(x: torch.Tensor) -> Batch:
    return Batch(torch.arange(len(x)), x, torch.zeros(len(x), dtype=torch.long))


def test_the_direction_holds_the_means_value_and_the_rest_is_as_before(case):
    layer, direction, mean = direction_and_mean(case.model, case.batch.x)
    projected = project_out(case.model, layer, direction, mean)
    before = Forward(case.model, case.batch).activation(layer)
    after = Forward(projected, case.batch).activation(layer)
    found = pooled(case.model, layer, after)
    unit = direction / direction.norm()
    torch.testing.assert_close(found @ unit, (mean @ unit).expand(len(found)))
    expected = pooled(case.model, layer, before)
    torch.testing.assert_close(found - (found @ unit)[:, None] * unit, expected - (expected @ unit)[:, None] * unit)


def test_no_score_changes_along_the_concept(case):
    layer, direction, mean = direction_and_mean(case.model, case.batch.x)
    projected = project_out(case.model, layer, direction, mean)
    inner = f"{layer}.layer"
    unit = direction / direction.norm()
    before = concept_sensitivity(case.model, case.batch.x, case.batch.y, unit, layer=layer)
    after = concept_sensitivity(projected, case.batch.x, case.batch.y, unit, layer=inner)
    assert before.abs().max() > 1e-6
    assert after.abs().max() < 1e-12


@pytest.mark.parametrize("num_places", [5, 7])
def test_a_second_concept_can_be_projected_out_of_a_layer_whose_channels_come_last(num_places):
    model, mean = nn.Sequential(nn.Linear(4, 5), nn.Flatten(), nn.Linear(5 * num_places, 2)), torch.zeros(5)
    for direction in torch.eye(5)[:2]:
        model = project_out(model, "0", direction, mean)
    x = torch.randn(2, num_places, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model[0](x)[..., :2], torch.zeros(2, num_places, 2))
    found = pooled_activations(model, x, layer="0")
    torch.testing.assert_close(found, model[0](x).mean(dim=1).detach())


def test_the_model_itself_stays_as_it_was(case):
    layer, direction, mean = direction_and_mean(case.model, case.batch.x)
    before = case.model(case.batch.x)
    copied = project_out(case.model, layer, direction, mean)
    assert torch.equal(case.model(case.batch.x), before)
    assert not torch.equal(copied(case.batch.x), before)
    assert [module.training for module in copied.modules()] == [False] * len(list(copied.modules()))


def test_survives_saving_and_loading_and_can_be_explained(case, tmp_path):
    layer, direction, mean = direction_and_mean(case.model, case.batch.x)
    projected = project_out(case.model, layer, direction, mean)
    save_weights(projected, tmp_path / "weights.safetensors")
    fresh = project_out(case.model, layer, torch.ones_like(direction), torch.zeros_like(mean))
    load_weights(fresh, tmp_path / "weights.safetensors")
    assert torch.equal(fresh(case.batch.x), projected(case.batch.x))
    assert explain(projected, case.batch.x, case.batch.y, method="input_gradient").shape == case.batch.x.shape


def test_a_layer_or_direction_that_does_not_fit_is_refused(smooth_case):
    two, three = torch.ones(2).double(), torch.ones(3).double()
    with pytest.raises(UnsupportedModelError, match="no layer 'conv'; this model has 0, 1"):
        project_out(smooth_case.model, "conv", two, two)
    for direction, mean in ((two, three), (0 * two, two)):
        with pytest.raises(UnsupportedModelError, match="expected two vectors"):
            project_out(smooth_case.model, "0", direction, mean)
