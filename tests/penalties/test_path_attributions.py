"""What holds for every penalty on path attributions that need no marks."""

import pytest
import torch

from corrigible.models.forward import Forward
from corrigible.penalties.attribution_graph import attribution_graph
from corrigible.penalties.attribution_smoothness import attribution_smoothness
from corrigible.penalties.attribution_sparsity import attribution_sparsity


@pytest.mark.parametrize("attribution", ["expected_gradients", "integrated_gradients"])
@pytest.mark.parametrize(
    ("penalty", "own"),
    [
        (attribution_graph, {"edges": [(0, 1), (2, 3), (1, 3)]}),
        (attribution_smoothness, {}),
        (attribution_sparsity, {}),
    ],
)
def test_parameter_gradient_equals_finite_differences(penalty, own, attribution, smooth_case):
    """Of several points from a background; the laws take each penalty as it is by default."""
    model, batch = smooth_case.model, smooth_case.batch
    settings = {"attribution": attribution, "background": batch.x.flip(0), "samples": 2, **own}
    assert torch.autograd.gradcheck(
        lambda *_: penalty(Forward(model, batch), batch, **settings),
        tuple(model.parameters()),
        fast_mode=True,
        atol=1e-8,
    )
