"""What must hold exactly: sums, and gradients of explanations with respect to the parameters."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from explain_subjects import table
from runner import Row
from torch import Tensor, nn

from corrigible import explain
from corrigible.explanations import EXPLAINERS
from corrigible.explanations.interactions import integrated_hessians, shapley_interactions
from corrigible.explanations.layers import layer_attribution
from corrigible.methods import settings_of

STEP = 1e-6
"""Of the finite differences, in float64."""


def proofs() -> Iterator[Row]:
    subject = table()
    with torch.no_grad():
        logits, nothing = subject.model(subject.x), subject.model(torch.zeros(1, subject.x.shape[1]))
    gain = (logits - nothing).gather(1, subject.target[:, None])[:, 0]
    for samples in (256, 2048):
        found = explain(subject.model, subject.x, subject.target, method="kernel_shap", samples=samples).sum(dim=1)
        error = float((found - gain).abs().max() / gain.abs().max())
        yield proof(f"kernel_shap, n = {samples}: sum less gain in score", error)
    for name, error in gradient_errors():
        yield proof(f"{name}: parameter gradient less finite difference", error)


def proof(what: str, error: float) -> Row:
    return Row({"what": what, "to_reach": 1e-5}, {"error": error})


def gradient_errors() -> Iterator[tuple[str, float]]:
    """Every method that can keep its graph, on a small network that it can explain."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Conv2d(2, 2, 2), nn.Softplus(), nn.Flatten(), nn.Linear(8, 3)
    ).double()
    linear = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).double()
    groups = torch.arange(16).reshape(1, 4, 4) // 4
    for name, method in EXPLAINERS.items():
        takes = settings_of(method)
        if "differentiable" in takes:
            settings: dict[str, Any] = {"groups": groups} if "groups" in takes else {}
            model = linear if name == "linear_shap" else network
            yield name, gradient_error(model, partial(explain, method=name, **settings))
    yield "layer_attribution", gradient_error(network, partial(layer_attribution, layer="1"))
    yield "integrated_hessians", gradient_error(network, partial(integrated_hessians, steps=8, beta=10.0))
    yield "shapley_interactions", gradient_error(network, partial(shapley_interactions, groups=groups))


def gradient_error(model: nn.Module, method: Callable[..., Tensor]) -> float:
    """Largest difference over the largest derivative, over all parameters of the model."""
    generator = torch.Generator().manual_seed(0)
    x, target = torch.randn(2, 1, 4, 4, dtype=torch.float64, generator=generator), torch.tensor([0, 2])
    factors = torch.randn(method(model, x, target).shape, dtype=torch.float64, generator=generator)

    def loss(differentiable: bool) -> Tensor:
        return (method(model, x, target, differentiable=differentiable) * factors).sum()

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
