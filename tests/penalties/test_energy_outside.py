"""Energy outside of a box, by hand."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from corrigible.explanations.attribution.grad_cam import grad_cam_of
from corrigible.models.forward import Forward
from corrigible.penalties.energy_outside import energy_outside
from corrigible.types import Batch


def marks(*rows: str) -> torch.Tensor:
    return torch.tensor([[mark == "x" for mark in row] for row in rows])


def linear_case(irrelevant: torch.Tensor | None, relevant: torch.Tensor | None) -> tuple[nn.Module, Batch]:
    """The margin of class 0 over class 1 has the gradient (1, -2, 5)."""
    model = nn.Linear(3, 2, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, 0.0, 5.0], [0.0, 2.0, 0.0]]))
    x = torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return model, Batch(torch.arange(3), x, torch.tensor([0, 1, 0]), irrelevant, relevant)


@pytest.mark.parametrize(
    ("irrelevant", "relevant", "expected"),
    [
        (marks("x..", "...", "..."), None, 1 / 8),
        (marks("x..", ".x.", "..."), None, (1 / 8 + 2 / 8) / 2),
        (marks("...", "...", "..."), marks("..x", "...", "..."), 3 / 8),
        (marks("x..", "x..", "..."), marks("x..", "...", "..."), (8 / 8 + 1 / 8) / 2),
        (None, marks("xxx", "...", "xx."), 5 / 8),
        (marks("...", "...", "..."), marks("...", "...", "..."), 0.0),
        (None, None, 0.0),
    ],
)
def test_shares_by_hand(irrelevant, relevant, expected):
    """Outside of the box where there is one, else inside what is irrelevant; rows with nothing outside do not count."""
    model, batch = linear_case(irrelevant, relevant)
    assert energy_outside(Forward(model, batch), batch, score="margin").item() == pytest.approx(expected)


def test_scaling_all_gradients_changes_nothing():
    model, batch = linear_case(marks("x..", ".x.", "..x"), None)
    before = energy_outside(Forward(model, batch), batch, score="margin")
    with torch.no_grad():
        model.weight.mul_(1e-3)
    torch.testing.assert_close(energy_outside(Forward(model, batch), batch, score="margin"), before)


def test_grad_cam_takes_the_enlarged_map(resnet_case):
    batch = replace(resnet_case.batch, relevant=resnet_case.batch.irrelevant, irrelevant=None)
    forward = Forward(resnet_case.model, batch)
    large = grad_cam_of(forward, batch.y, score="margin").flatten(1)
    inside = (large * batch.relevant.flatten(1)).sum(1) / large.sum(1)
    found = energy_outside(forward, batch, attribution="grad_cam", score="margin")
    torch.testing.assert_close(found, 1 - inside.mean())


@pytest.mark.parametrize("attribution", ["input_gradient", "grad_cam"])
def test_gradient_equals_finite_differences_with_both_marks(attribution, smooth_case):
    model = smooth_case.model
    relevant = smooth_case.batch.irrelevant.roll(1, dims=3)
    relevant[0] = False
    batch = replace(smooth_case.batch, relevant=relevant)
    assert torch.autograd.gradcheck(
        lambda *_: energy_outside(Forward(model, batch), batch, attribution=attribution, score="target_log_prob"),
        tuple(model.parameters()),
        fast_mode=True,
        atol=1e-8,
    )
