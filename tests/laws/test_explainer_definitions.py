"""Every explainer that follows gradients, and occlusion, is what its paper defines, and its own gradient is exact."""

from itertools import product

import pytest
import torch
from torch import nn
from torch.nn.functional import conv_transpose2d, max_pool2d, relu

from corrigible.explanations import explain
from corrigible.explanations.attribution import EXPLAINERS as BY_GRADIENT
from corrigible.explanations.scores import SCORE_NAMES, SCORES
from finite_differences import require_slope

METHODS = [*BY_GRADIENT, "occlusion"]
GUIDED = ("guided_backpropagation", "guided_grad_cam")
REFERENCES = torch.linspace(-1, 1, 72, dtype=torch.float64).sin().view(2, 1, 6, 6)
SETTINGS = {
    "smooth_grad": {"samples": 5, "noise": 0.4},
    "integrated_gradients": {"steps": 40, "baseline": 0.3},
    "expected_gradients": {"samples": 2000, "background": REFERENCES},
    "deep_lift": {"baseline": 0.3},
    "occlusion": {"patch": 3, "stride": 2, "baseline": 0.1},
}


@pytest.fixture(autouse=True)
def _repeatable():
    torch.manual_seed(0)


def smooth_net():
    """Differentiable everywhere, in float64; 6×6 images, a last convolution of 3×3."""
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1),
        nn.Softplus(),
        nn.Conv2d(2, 3, 3, stride=2, padding=1),
        nn.Softplus(),
        nn.Flatten(),
        nn.Linear(27, 3),
    ).double()


def rectified_net():
    """The same with ReLUs."""
    net = smooth_net()
    net[1], net[3] = nn.ReLU(), nn.ReLU()
    return net


class Kinked(nn.Module):
    """ReLUs in place, shared and functional, normalisation, overlapping max pooling, a smooth activation."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.norm.running_mean.normal_(std=0.1)
        self.second, self.relu, self.smooth = nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(inplace=True), nn.SiLU()
        self.head = nn.Linear(12, 3)
        self.double()

    def forward(self, x):
        x = self.relu(self.norm(self.first(x)))
        x = self.relu(x + self.norm(self.second(x)))
        return self.head(self.smooth(relu(max_pool2d(x, 3, 2) - 0.1).flatten(1)))


def small_net(method):
    return rectified_net() if method in GUIDED else smooth_net()


def scores_of(method, names):
    """DeepLIFT explains logits and outputs alone."""
    return ["target_logit", "target_output"] if method == "deep_lift" else names


def literal_score(name, logits, target):
    if name in ("target_logit", "target_output"):
        return logits[target]
    if name == "predicted_logit":
        return logits.max()
    if name == "margin":
        return logits[target] - max(value for place, value in enumerate(logits) if place != target)
    log_probs = logits - logits.exp().sum().log()
    if name == "target_prob":
        return log_probs[target].exp()
    return log_probs[target] if name == "target_log_prob" else log_probs.sum()


def differences(function, at, step=1e-5):
    """Gradient of a function of a tensor by central differences."""
    gradient = torch.zeros_like(at)
    for place in range(at.numel()):
        shift = torch.zeros_like(at)
        shift.view(-1)[place] = step
        gradient.view(-1)[place] = (function(at + shift) - function(at - shift)) / (2 * step)
    return gradient


def slow_input_gradient(model, row, score):
    return differences(lambda z: score(model(z[None])[0]), row)


def slow_gradient_x_input(model, row, score):
    return slow_input_gradient(model, row, score) * row


def slow_smooth_grad(model, row, score):
    """The mean over the noisy copies, which are the same for every model."""
    seen, probe = [], nn.Sequential(nn.Flatten(), nn.Linear(36, 2)).double()
    explain(probe, row[None], method="smooth_grad")  # A first look at the model.
    probe.register_forward_pre_hook(lambda module, arguments: seen.extend(arguments[0].detach().clone()))
    explain(probe, row[None], method="smooth_grad", **SETTINGS["smooth_grad"])
    copies = [point for point in seen if not torch.equal(point, row)]
    assert len(copies) == SETTINGS["smooth_grad"]["samples"]
    return sum(slow_input_gradient(model, point, score) for point in copies) / len(copies)


def slow_expected_gradients(model, row, score):
    """The expectation over references and paths itself: integrated gradients from each reference."""
    return sum(slow_integrated_gradients(model, row, score, start=start) for start in REFERENCES) / len(REFERENCES)


def slow_guided_backpropagation(model, row, score):
    """Layer by layer backwards; at a ReLU, what is negative in the forward or in the backward pass becomes 0."""
    outputs = [row[None]]
    for layer in model:
        outputs.append(layer(outputs[-1]))
    gradient = differences(score, outputs[-1][0])[None] @ model[5].weight
    gradient = gradient.reshape(outputs[4].shape)
    gradient = gradient * (gradient > 0) * (outputs[3] > 0)
    gradient = conv_transpose2d(gradient, model[2].weight, stride=2, padding=1, output_padding=1)
    gradient = gradient * (gradient > 0) * (outputs[1] > 0)
    return conv_transpose2d(gradient, model[0].weight, padding=1)[0]


def slow_guided_grad_cam(model, row, score):
    return slow_guided_backpropagation(model, row, score) * slow_grad_cam(model, row, score)


def slow_deep_lift(model, row, score):
    """Multipliers layer by layer backwards; the score is a logit, so that its differences are its multipliers."""
    outputs, before = [row[None]], [torch.full_like(row[None], 0.3)]
    for layer in model:
        outputs.append(layer(outputs[-1]))
        before.append(layer(before[-1]))
    rise = [now - then for now, then in zip(outputs, before, strict=True)]
    multiplier = (differences(score, outputs[-1][0])[None] @ model[5].weight).reshape(rise[4].shape)
    multiplier = multiplier * rise[4] / rise[3]
    multiplier = conv_transpose2d(multiplier, model[2].weight, stride=2, padding=1, output_padding=1)
    multiplier = multiplier * rise[2] / rise[1]
    return (conv_transpose2d(multiplier, model[0].weight, padding=1) * rise[0])[0]


def slow_integrated_gradients(model, row, score, points=200, start=None):
    """Equation 1 by the midpoint rule."""
    start, total = torch.full_like(row, 0.3) if start is None else start, torch.zeros_like(row)
    for k in range(points):
        point = (start + (k + 0.5) / points * (row - start)).requires_grad_()
        with torch.enable_grad():
            total += torch.autograd.grad(score(model(point[None])[0]), point)[0] / points
    return (row - start) * total


def slow_grad_cam(model, row, score):
    """Equations 1 and 2 channel by channel, then bilinear interpolation pixel by pixel."""
    maps = model[:3](row[None])[0]
    gradient = differences(lambda z: score(model[3:](z[None])[0]), maps)
    heat = sum(gradient[k].mean() * maps[k] for k in range(len(maps))).clamp_min(0)
    enlarged = torch.zeros_like(row)
    for i, j in product(range(6), range(6)):
        a, b = (min(max((place + 0.5) * 3 / 6 - 0.5, 0), 2) for place in (i, j))
        for u, v in product(range(3), range(3)):
            enlarged[0, i, j] += heat[u, v] * max(0, 1 - abs(a - u)) * max(0, 1 - abs(b - v))
    return enlarged


def slow_occlusion(model, row, score):
    """3×3 patches every 2 pixels; the last ones are cut off at the edge."""
    total, count = torch.zeros_like(row), torch.zeros_like(row)
    for i, j in product((0, 2, 4), (0, 2, 4)):
        hidden = row.clone()
        hidden[:, i : i + 3, j : j + 3] = 0.1
        total[:, i : i + 3, j : j + 3] += score(model(row[None])[0]) - score(model(hidden[None])[0])
        count[:, i : i + 3, j : j + 3] += 1
    return total / count


SLOW = {
    f.__name__.removeprefix("slow_"): f
    for f in (
        slow_input_gradient,
        slow_gradient_x_input,
        slow_smooth_grad,
        slow_integrated_gradients,
        slow_expected_gradients,
        slow_guided_backpropagation,
        slow_grad_cam,
        slow_guided_grad_cam,
        slow_deep_lift,
        slow_occlusion,
    )
}
SCORED = [(method, score) for method in METHODS for score in scores_of(method, SCORES)]
FEW = {
    "smooth_grad": {"samples": 4},
    "integrated_gradients": {"steps": 5},
    "expected_gradients": {"samples": 4, "background": REFERENCES},
    "deep_lift": {"baseline": 0.3},
}


@pytest.mark.parametrize(("method", "score"), SCORED)
@pytest.mark.every(2)
def test_the_result_equals_the_definition_written_out_slowly(method, score):
    model, x = small_net(method), torch.randn(2, 1, 6, 6, dtype=torch.float64)
    target = torch.tensor([2, 0])
    found = explain(model, x, target, method=method, score=score, **SETTINGS.get(method, {}))
    with torch.no_grad():
        for row, label, attribution in zip(x, target.tolist(), found, strict=True):
            expected = SLOW[method](model, row, lambda logits, t=label: literal_score(score, logits, t))
            near = 0.02 * expected.abs().max().item() if method == "expected_gradients" else 1e-7
            torch.testing.assert_close(attribution, expected, rtol=1e-5, atol=near)


@pytest.mark.every(3)
@pytest.mark.parametrize("make", [small_net, lambda method: Kinked()], ids=["chain", "kinked"])
@pytest.mark.parametrize(("method", "score"), [(m, score) for m in METHODS for score in scores_of(m, SCORE_NAMES)])
def test_the_parameter_gradient_equals_finite_differences(method, score, make):
    model, x = make(method), torch.randn(2, 1, 6, 6, dtype=torch.float64)
    factors, target = torch.randn_like(x), torch.tensor([2, 0])
    settings = FEW.get(method, {})

    def loss(changed, differentiable=False):
        found = explain(changed, x, target, method=method, score=score, differentiable=differentiable, **settings)
        return (found * factors).sum()

    require_slope(model, loss)
