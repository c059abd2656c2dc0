"""Every penalty and explainer on a network whose weights have a distribution, while activations are drawn."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from conftest import Case
from corrigible.explanations.explaining import EXPLAINERS
from corrigible.models.bayes import bayesian, deterministic
from corrigible.models.ensemble import Ensemble
from corrigible.models.forward import Forward
from corrigible.penalties import ON_REVIEWED_ROWS, PENALTIES, RELEVANCE_PENALTIES
from corrigible.types import Batch

OF_GROUPS = ("demographic_parity", "equal_opportunity", "equalized_odds", "group_calibration", "bounded_group_loss")
SETTINGS: dict[str, dict[str, Any]] = {
    **{name: {"shrinkage": 0.0} for name in OF_GROUPS},
    "attribution_graph": {"edges": [[0, 1], [1, 2], [0, 3]]},
    "layer_sparsity": {"share_per_layer": 0.9, "most": 0.9},
    "kl_divergence": {"num_rows": 3},
    "no_change_evidence": {"num_rows": 3, "num_reviewed": 3},
    "zero_activation_evidence": {"num_rows": 3, "num_reviewed": 3},
}
MAY_BE_NEGATIVE = {"zero_activation_evidence"}
every_penalty = pytest.mark.parametrize("name", [name for name in PENALTIES if name != "l0_norm"])


@pytest.fixture
def drawing(smooth_case: Case) -> Case:
    """The small network, Bayesian, as in training."""
    features = smooth_case.batch.x.flatten(1)[:, :4].square()
    batch = replace(smooth_case.batch, extra={"teacher": features}, group=torch.tensor([0, 1, 0]))
    return Case("bayesian", bayesian(smooth_case.model, prior_std=0.5).train(), batch)


def value(name: str, model: nn.Module, batch: Batch) -> Tensor:
    if name in RELEVANCE_PENALTIES:
        batch = replace(batch, irrelevant=torch.zeros_like(batch.irrelevant), relevant=batch.irrelevant)
    if name == "local_independence":
        torch.manual_seed(6)
        other = nn.Sequential(nn.Flatten(), nn.Linear(9, 4), nn.Softplus(), nn.Linear(4, 3)).double()
        model = Ensemble([model, other.requires_grad_(False)])
    return PENALTIES[name](Forward(model, batch, seed=3), batch, **SETTINGS.get(name, {}))


@every_penalty
@pytest.mark.every(3)
def test_penalties_teach_means_and_standard_deviations(name, drawing):
    """Exactly: the gradient is that of finite differences."""
    model, batch = drawing.model, drawing.batch
    found = value(name, model, batch)
    assert found.isfinite()
    assert name not in ON_REVIEWED_ROWS or name in MAY_BE_NEGATIVE or found > 0
    assert torch.autograd.gradcheck(
        lambda *_: value(name, model, batch), tuple(model.parameters()), fast_mode=True, atol=1e-7
    )


@every_penalty
def test_neither_order_nor_repetition_changes_a_penalty_while_activations_are_drawn(name, drawing):
    batch, places = drawing.batch, [2, 0, 1, 0, 1, 2]
    tensors = ("index", "x", "y", "irrelevant", "relevant", "group")
    extra = {"teacher": batch.extra["teacher"][places]}
    repeated = replace(batch, **{tensor: getattr(batch, tensor)[places] for tensor in tensors}, extra=extra)
    torch.testing.assert_close(value(name, drawing.model, repeated), value(name, drawing.model, batch))


@pytest.mark.parametrize("name", ["input_gradient", "integrated_gradients", "deep_lift", "grad_cam", "kernel_shap"])
def test_explainers_explain_the_network_of_the_mean_weights(name, drawing):
    x, target = drawing.batch.x, drawing.batch.y
    found = EXPLAINERS[name](drawing.model, x, target)
    torch.testing.assert_close(found, EXPLAINERS[name](deterministic(drawing.model), x, target))


@pytest.mark.parametrize("name", ["no_change_evidence", "zero_activation_evidence"])
def test_evidence_is_zero_when_nothing_is_marked(name, drawing):
    batch = replace(drawing.batch, irrelevant=torch.zeros_like(drawing.batch.irrelevant))
    assert value(name, drawing.model, batch) == 0
