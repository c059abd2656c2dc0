"""Smoothness of attributions, against total variation written out pixel by pixel."""

import pytest
import torch
from torch import nn

from corrigible.errors import UnsupportedModelError
from corrigible.explanations.attribution.expected_gradients import expected_gradients_of
from corrigible.models import mlp
from corrigible.models.forward import Forward
from corrigible.penalties.attribution_smoothness import attribution_smoothness
from corrigible.types import Batch


def slow_variation(image: torch.Tensor) -> float:
    pixels = image.sum(0).tolist()
    height, width = len(pixels), len(pixels[0])
    variation = sum(abs(pixels[i + 1][j] - pixels[i][j]) for i in range(height - 1) for j in range(width))
    variation += sum(abs(pixels[i][j + 1] - pixels[i][j]) for i in range(height) for j in range(width - 1))
    return variation / sum(abs(value) for row in pixels for value in row)


def images() -> Batch:
    x = torch.randn(3, 2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return Batch(torch.arange(3), x, torch.tensor([0, 1, 2]))


@pytest.fixture
def model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return mlp(40, 3, hidden=(6,)).double()


def test_is_the_mean_over_rows_of_total_variation_over_absolute_sum(model):
    batch = images()
    background = batch.x.flip(0) + 1
    found = expected_gradients_of(Forward(model, batch), batch.y, background=background, score="target_log_prob")
    expected = sum(slow_variation(image) for image in found) / 3
    value = attribution_smoothness(Forward(model, batch), batch, background=background)
    assert value.item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        ([[1.0, 1.0], [1.0, 1.0]], 0.0),
        ([[1.0, 0.0], [0.0, 0.0]], 2.0),
        ([[1.0, -1.0], [-1.0, 1.0]], 2.0),
        ([[0.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 0.0]], 4.0),
    ],
)
def test_by_hand_on_a_linear_model(weight, expected):
    """With inputs of 1 the attributions are the weights."""
    pixels = torch.tensor(weight, dtype=torch.float64)
    model = nn.Sequential(nn.Flatten(), nn.Linear(pixels.numel(), 2, bias=False)).double()
    with torch.no_grad():
        model[1].weight.copy_(torch.stack([pixels.flatten(), -pixels.flatten()]))
    batch = Batch(torch.arange(2), torch.ones(2, 1, *pixels.shape).double(), torch.tensor([0, 1]))
    for attribution in ("expected_gradients", "integrated_gradients"):
        settings = {"attribution": attribution, "score": "target_logit"}
        assert attribution_smoothness(Forward(model, batch), batch, **settings).item() == pytest.approx(expected)


def test_only_shares_matter(model):
    batch = images()
    before = attribution_smoothness(Forward(model, batch), batch, score="target_logit")
    with torch.no_grad():
        model[-1].weight.mul_(0.01)
    torch.testing.assert_close(attribution_smoothness(Forward(model, batch), batch, score="target_logit"), before)


def test_a_model_that_uses_nothing_gives_zero(model):
    nn.init.zeros_(model[1].weight)
    value = attribution_smoothness(Forward(model, images()), images())
    (gradient,) = torch.autograd.grad(value, model[1].weight)
    assert value == 0
    assert gradient.isfinite().all()


def test_rows_that_are_no_images_are_refused(table_case):
    with pytest.raises(UnsupportedModelError, match="use attribution_graph"):
        attribution_smoothness(Forward(table_case.model, table_case.batch), table_case.batch)
