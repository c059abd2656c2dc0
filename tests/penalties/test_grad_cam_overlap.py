"""The share of Grad-CAM on marked pixels, against Grad-CAM written out and enlarged."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from corrigible.errors import UnsupportedModelError
from corrigible.explanations.attribution.grad_cam import grad_cam_of
from corrigible.models.forward import Forward
from corrigible.penalties.grad_cam_overlap import grad_cam_overlap


def slow_share(model: nn.Sequential, x: torch.Tensor, y: int, irrelevant: torch.Tensor) -> float:
    """Equations 1 and 2 for one row, channel by channel; the model is a convolution and what follows."""
    activation = model[0](x[None])[0].detach().requires_grad_()
    logits = model[1:](activation[None])[0]
    other = max(logit for label, logit in enumerate(logits) if label != y)
    (gradient,) = torch.autograd.grad(logits[y] - other, activation)
    heat = torch.zeros_like(activation[0])
    for channel, slope in zip(activation, gradient, strict=True):
        heat += slope.mean() * channel.detach()
    heat = heat.clamp_min(0)
    large = interpolate(heat[None, None], size=x.shape[1:], mode="bilinear", align_corners=False)[0]
    whole = large.sum() * len(x)
    return float((large * irrelevant).sum() / whole) if whole > 0 else 0.0


def test_definition_row_by_row_in_the_mean_over_marked_rows(smooth_case):
    irrelevant = smooth_case.batch.irrelevant.clone()
    irrelevant[1] = False
    batch = replace(smooth_case.batch, irrelevant=irrelevant)
    shares = [slow_share(smooth_case.model, batch.x[row], int(batch.y[row]), irrelevant[row]) for row in (0, 2)]
    found = grad_cam_overlap(Forward(smooth_case.model, batch), batch)
    assert found.item() == pytest.approx(sum(shares) / 2)
    assert 0 < found < 1


@pytest.mark.parametrize("layer", [None, "stem"])
def test_sums_at_the_layers_resolution_are_those_of_the_enlarged_map(layer, resnet_case):
    forward, batch = Forward(resnet_case.model, resnet_case.batch), resnet_case.batch
    irrelevant = batch.irrelevant.clone()
    irrelevant[:, 1] = False  # marked in one channel of two
    batch = replace(batch, irrelevant=irrelevant)
    large = grad_cam_of(forward, batch.y, layer=layer, score="margin").flatten(1)
    shares = (large * irrelevant.flatten(1)).sum(1) / large.sum(1).clamp_min(1e-300)
    torch.testing.assert_close(grad_cam_overlap(forward, batch, layer=layer), shares.mean())


def test_a_map_of_zero_gives_zero_and_gradients_that_are_numbers(smooth_case):
    with torch.no_grad():
        smooth_case.model[0].weight.zero_()
        smooth_case.model[0].bias.zero_()
    found = grad_cam_overlap(Forward(smooth_case.model, smooth_case.batch), smooth_case.batch)
    gradients = torch.autograd.grad(found, list(smooth_case.model.parameters()), allow_unused=True)
    assert found == 0
    assert all(gradient.isfinite().all() for gradient in gradients if gradient is not None)


def test_the_size_of_the_map_changes_nothing(smooth_case):
    before = grad_cam_overlap(Forward(smooth_case.model, smooth_case.batch), smooth_case.batch)
    with torch.no_grad():
        smooth_case.model[5].weight.mul_(1e-3)
    torch.testing.assert_close(
        grad_cam_overlap(Forward(smooth_case.model, smooth_case.batch), smooth_case.batch), before
    )


def test_channel_weights_are_differentiated_too(smooth_case):
    """Layers above the convolution move the map through its weights alone."""
    found = grad_cam_overlap(Forward(smooth_case.model, smooth_case.batch), smooth_case.batch)
    (gradient,) = torch.autograd.grad(found, smooth_case.model[5].weight)
    assert gradient.any()


def test_a_table_is_refused(table_case):
    with pytest.raises(UnsupportedModelError, match="needs a Conv2d"):
        grad_cam_overlap(Forward(table_case.model, table_case.batch), table_case.batch)


def test_a_pass_that_tracks_layers_alone_gives_the_same_gradients(resnet_case):
    model, batch = resnet_case.model, resnet_case.batch
    found = []
    for tracks in (True, False):
        forward = Forward(model, batch, track_input=tracks, track_layers=True)
        value = grad_cam_overlap(forward, batch, layer="stem")
        found.append(torch.autograd.grad(value, list(model.parameters()), allow_unused=True))
    for tracked, untracked in zip(*found, strict=True):
        torch.testing.assert_close(tracked, untracked)
