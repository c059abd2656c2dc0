"""What must hold exactly: sums, and gradients of explanations with respect to the parameters."""

from collections.abc import Iterator
from typing import Any

import torch
from explain_subjects import table
from torch import Tensor, nn

from corrigible import explain
from corrigible.explanations import EXPLAINERS
from corrigible.methods import settings_of

STEP = 1e-6
"""Of the finite differences, in float64."""


def proofs() -> Iterator[dict[str, Any]]:
    subject = table()
    with torch.no_grad():
        logits, nothing = subject.model(subject.x), subject.model(torch.zeros(1, subject.x.shape[1]))
    gain = (logits - nothing).gather(1, subject.target[:, None])[:, 0]
    for samples in (256, 2048):
        found = explain(subject.model, subject.x, subject.target, method="kernel_shap", samples=samples).sum(dim=1)
        error = float((found - gain).abs().max() / gain.abs().max())
        yield {"what": f"kernel_shap, n = {samples}: sum less gain in score", "error": error, "to_reach": 1e-5}
    for method in EXPLAINERS:
        if method != "linear_shap" and "differentiable" in settings_of(EXPLAINERS[method]):
            yield {
                "what": f"{method}: parameter gradient less finite difference",
                "error": gradient_error(method),
                "to_reach": 1e-5,
            }


def gradient_error(method: str) -> float:
    """Largest difference over the largest derivative, over all parameters of a small network."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Conv2d(2, 2, 2), nn.Softplus(), nn.Flatten(), nn.Linear(8, 3)
    ).double()
    x, target = torch.randn(2, 1, 4, 4, dtype=torch.float64), torch.tensor([0, 2])
    groups = {"groups": torch.arange(16).reshape(1, 4, 4) // 4}
    settings = groups if "groups" in settings_of(EXPLAINERS[method]) else {}
    factors = torch.randn_like(x)

    def loss(differentiable: bool) -> Tensor:
        found = explain(model, x, target, method=method, differentiable=differentiable, **settings)
        return (found * factors).sum()

    slopes = torch.autograd.grad(loss(True), list(model.parameters()), allow_unused=True, materialize_grads=True)
    return float(
        max(
            (slope - numeric(parameter, lambda: loss(False))).abs().max()
            for parameter, slope in zip(model.parameters(), slopes, strict=True)
        )
        / max(slope.abs().max() for slope in slopes)
    )


def numeric(parameter: Tensor, loss: Any) -> Tensor:
    """Central differences, one number of the parameter after another."""
    found = torch.zeros_like(parameter).flatten()
    values = parameter.data.view(-1)
    for place in range(len(values)):
        kept = values[place].item()
        values[place] = kept + STEP
        above = loss()
        values[place] = kept - STEP
        below = loss()
        values[place] = kept
        found[place] = (above - below) / (2 * STEP)
    return found.view_as(parameter)
