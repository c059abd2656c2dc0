"""Activation × gradient under the marks, position by position."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import log_softmax

from corrigible.errors import UnsupportedModelError
from corrigible.models.forward import Forward
from corrigible.penalties.activation_evidence import activation_evidence
from corrigible.types import Batch


def test_definition_unit_by_unit(smooth_case):
    """A 2 × 2 map of 3 × 3 pixels: each cell covers the two rows and columns of pixels that it touches."""
    model, batch = smooth_case.model, smooth_case.batch
    total, count = 0.0, 0
    for x, y, irrelevant in zip(batch.x, batch.y, batch.irrelevant, strict=True):
        activation = model[0](x[None])[0].detach().requires_grad_()
        (gradient,) = torch.autograd.grad(log_softmax(model[1:](activation[None])[0], dim=0)[y], activation)
        for down in range(2):
            for across in range(2):
                if irrelevant[:, down : down + 2, across : across + 2].any():
                    total += float((activation.detach() * gradient)[:, down, across].square().mean())
                    count += 1
    found = activation_evidence(Forward(model, batch), batch, score="target_log_prob")
    assert found.item() == pytest.approx(total / count)


def test_one_marked_pixel_of_one_channel_is_not_lost(resnet_case):
    irrelevant = torch.zeros_like(resnet_case.batch.irrelevant)
    irrelevant[0, 1, 5, 5] = True
    batch = replace(resnet_case.batch, irrelevant=irrelevant)
    assert activation_evidence(Forward(resnet_case.model, batch), batch) > 0


class TwoParts(nn.Module):
    """A classifier that reads one of two channels only, at the left half of its map."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1)
        self.out = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.conv(x)[:, 0, :, :2].flatten(1))


def test_activation_without_influence_is_no_evidence():
    """Bright activations at the right, which the classifier does not read, cost nothing."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = TwoParts().double()
    x = torch.randn(3, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    right = torch.zeros(x.shape, dtype=torch.bool)
    right[..., 2:] = True
    batch = Batch(torch.arange(3), x, torch.tensor([0, 1, 0]), right)
    assert activation_evidence(Forward(model, batch), batch) == 0
    batch = replace(batch, irrelevant=~right)
    assert activation_evidence(Forward(model, batch), batch) > 0


def test_a_layer_without_positions_is_refused(smooth_case):
    with pytest.raises(UnsupportedModelError, match="layer '3' gives shape"):
        activation_evidence(Forward(smooth_case.model, smooth_case.batch), smooth_case.batch, layer="3")
