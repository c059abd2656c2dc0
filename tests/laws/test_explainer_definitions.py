"""Every explainer is what its paper defines, and its gradient with respect to the parameters is exact."""

import copy
import math
from itertools import product

import pytest
import torch
from torch import nn

from corrigible.explanations import EXPLAINERS, explain
from corrigible.explanations.scores import SCORE_NAMES, SCORES

SETTINGS = {
    "integrated_gradients": {"steps": 40, "baseline": 0.3},
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


def literal_score(name, logits, target):
    if name == "target_logit":
        return logits[target]
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


def slow_integrated_gradients(model, row, score, points=200):
    """Equation 1 by the midpoint rule."""
    start, total = torch.full_like(row, 0.3), torch.zeros_like(row)
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
    "input_gradient": slow_input_gradient,
    "gradient_x_input": slow_gradient_x_input,
    "integrated_gradients": slow_integrated_gradients,
    "grad_cam": slow_grad_cam,
    "occlusion": slow_occlusion,
}


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("method", EXPLAINERS)
def test_the_result_equals_the_definition_written_out_slowly(method, score):
    model, x = smooth_net(), torch.randn(2, 1, 6, 6, dtype=torch.float64)
    target = torch.tensor([2, 0])
    found = explain(model, x, target, method=method, score=score, **SETTINGS.get(method, {}))
    with torch.no_grad():
        for row, label, attribution in zip(x, target.tolist(), found, strict=True):
            expected = SLOW[method](model, row, lambda logits, t=label: literal_score(score, logits, t))
            torch.testing.assert_close(attribution, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("score", SCORE_NAMES)
@pytest.mark.parametrize("method", EXPLAINERS)
def test_the_parameter_gradient_equals_finite_differences(method, score):
    model, x = smooth_net(), torch.randn(2, 1, 6, 6, dtype=torch.float64)
    factors, target = torch.randn_like(x), torch.tensor([2, 0])
    settings = {"integrated_gradients": {"steps": 5}}.get(method, {})

    def loss(changed, differentiable=False):
        found = explain(changed, x, target, method=method, score=score, differentiable=differentiable, **settings)
        return (found * factors).sum()

    exact = torch.autograd.grad(loss(model, True), list(model.parameters()), allow_unused=True)
    for _ in range(2):
        direction = [torch.randn_like(p) for p in model.parameters()]
        slope = sum((g * d).sum() for g, d in zip(exact, direction, strict=True) if g is not None).item()
        ends = []
        for step in (1e-5, -1e-5):
            moved = copy.deepcopy(model)
            with torch.no_grad():
                for p, d in zip(moved.parameters(), direction, strict=True):
                    p += step * d
            ends.append(loss(moved).item())
        assert math.isclose(slope, (ends[0] - ends[1]) / 2e-5, rel_tol=1e-5, abs_tol=1e-9)
        assert slope != 0
