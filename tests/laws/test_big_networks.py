"""Every explainer on a residual network as people build them, at 64 pixels: BatchNorm, one ReLU module used twice in
each block, in-place sums, strides, shortcuts with a convolution."""

import copy
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from corrigible.errors import UnsupportedModelError
from corrigible.explanations import EXPLAINERS, explain
from corrigible.explanations.segments import grid_segments, slic_segments

SIDE = 64
NUM_CLASSES = 5


class Block(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))
        self.downsample = nn.Identity() if stride == 1 and inside == outside else shortcut

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += self.downsample(x)
        return self.relu(out)


class ResNet18(nn.Module):
    """He et al. 2016, table 1, 18 layers, with an eighth of the channels."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        channels = [width, width, 2 * width, 4 * width, 8 * width]
        for stage in range(4):
            first = Block(channels[stage], channels[stage + 1], 1 if stage == 0 else 2)
            rest = Block(channels[stage + 1], channels[stage + 1], 1)
            self.add_module(f"layer{stage + 1}", nn.Sequential(first, rest))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels[4], NUM_CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for stage in range(4):
            x = self.get_submodule(f"layer{stage + 1}")(x)
        return self.fc(torch.flatten(self.avgpool(x), 1))


@pytest.fixture(scope="module")
def model() -> nn.Module:
    """Random weights, running statistics of some rows."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = ResNet18()
        for _ in range(5):
            network(images(16))
    return network.eval()


def images(count: int) -> Tensor:
    """Soft spots of colour."""
    return nn.functional.interpolate(torch.randn(count, 3, 8, 8), size=SIDE, mode="bilinear", align_corners=False)


@pytest.fixture(scope="module")
def x() -> Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return images(3)


def settings_for(method: str, x: Tensor) -> Mapping[str, Any]:
    quarters, superpixels = grid_segments(x, SIDE // 2), slic_segments(x, 6)
    return {
        "integrated_gradients": {"steps": 64},
        "smooth_grad": {"samples": 4},
        "expected_gradients": {"background": x.flip(0), "samples": 4},
        "exact_shapley": {"groups": quarters},
        "permutation_shapley": {"groups": superpixels, "samples": 2},
        "kernel_shap": {"groups": superpixels, "samples": 32},
        "lime": {"groups": superpixels, "samples": 32},
        "feature_ablation": {"groups": superpixels},
        "occlusion": {"patch": 32},
    }.get(method, {})


@pytest.mark.parametrize("method", [name for name in EXPLAINERS if name != "linear_shap"])
@pytest.mark.every(3)
def test_rows_are_explained_one_by_one_and_the_network_stays_as_it_was(model, x, method):
    before, modes = copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]
    settings = dict(settings_for(method, x))
    found = explain(model, x, [0, 1, 2], method=method, **settings)
    assert found.shape == x.shape and bool(found.isfinite().all())
    assert bool(found.any())
    if settings.get("groups") is not None and settings["groups"].ndim == 4:
        settings["groups"] = settings["groups"][2:]
    alone = explain(model, x[2:], 2, method=method, **settings)
    torch.testing.assert_close(alone, found[2:], atol=1e-5 * float(found.abs().max()), rtol=1e-3)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert all(not module._forward_hooks and not module._backward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


class Attentive(nn.Module):
    """A convolution whose channels are weighted by what all of the image holds (squeeze and excitation)."""

    def __init__(self, *, is_gated: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.Sigmoid())
        self.out = nn.Linear(8, NUM_CLASSES)
        self.is_gated = is_gated

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.hardswish(self.conv(x))
        return self.out((x * self.gate(x) if self.is_gated else x).mean(dim=(2, 3)))


def test_deep_lift_adds_up_over_a_swish_and_refuses_products(x):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plain, gated = Attentive(is_gated=False), Attentive(is_gated=True)
    with torch.no_grad():
        rise = (plain(x) - plain(torch.zeros_like(x)))[:, 1]
    found = explain(plain, x, 1, method="deep_lift", score="target_logit")
    torch.testing.assert_close(found.flatten(1).sum(dim=1), rise, atol=1e-5, rtol=1e-3)
    with pytest.raises(UnsupportedModelError, match="mul"):
        explain(gated, x, 1, method="deep_lift", score="target_logit")


@pytest.mark.parametrize(
    ("method", "tolerance"),
    [
        ("deep_lift", 1e-4),
        ("exact_shapley", 1e-4),
        ("permutation_shapley", 1e-4),
        ("kernel_shap", 1e-4),
        ("integrated_gradients", 0.05),
    ],
)
def test_attributions_add_up_to_the_rise_over_a_black_image(model, x, method, tolerance):
    with torch.no_grad():
        rise = (model(x) - model(torch.zeros_like(x)))[:, 1]
    found = explain(model, x, 1, method=method, score="target_logit", **settings_for(method, x))
    torch.testing.assert_close(found.flatten(1).sum(dim=1), rise, atol=tolerance * float(rise.abs().max()), rtol=0)
