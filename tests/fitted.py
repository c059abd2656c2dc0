"""Small networks at a minimum of their objective, in double precision, with rows that count as they are told."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd.functional import hessian
from torch.func import functional_call
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector, vector_to_parameters

DECAY = 0.02


def rows(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Inputs and classes that follow them with noise."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    noise = torch.randn(count, generator=generator, dtype=torch.float64)
    return x, (x[:, 0] - x[:, 1] + noise > 0).long()


Run = Callable[[Tensor], Tensor]
"""x -> outputs."""


def fit_to(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    weight: Tensor,
    *,
    penalty: Callable[[Run], Tensor] | None = None,
    steps: int = 40,
) -> nn.Module:
    """A copy at the minimum of Σ weight · loss / number of rows + DECAY / 2 · |θ|² (+ penalty), by Newton's steps."""
    fitted = copy.deepcopy(model)
    named = dict(fitted.named_parameters())

    def objective(theta: Tensor) -> Tensor:
        parts = theta.split([value.numel() for value in named.values()])
        at = {name: part.view_as(named[name]) for name, part in zip(named, parts, strict=True)}

        def run(x: Tensor) -> Tensor:
            return functional_call(fitted, at, (x,))

        total = (cross_entropy(run(x), y, reduction="none") * weight).sum() / len(x)
        total = total + DECAY / 2 * theta.square().sum()
        return total if penalty is None else total + penalty(run)

    theta = parameters_to_vector(fitted.parameters()).detach()
    for _ in range(steps):
        theta.requires_grad_()
        (slope,) = torch.autograd.grad(objective(theta), theta)
        theta = theta.detach()
        if float(slope.norm()) < 1e-12:
            break
        values, vectors = torch.linalg.eigh(hessian(objective, theta))
        move = -vectors @ ((vectors.T @ slope) / values.abs().clamp_min(1e-3))
        size, before = 1.0, objective(theta)
        while objective(theta + size * move) > before and size > 1e-6:
            size /= 2
        theta = theta + size * move
    vector_to_parameters(theta, fitted.parameters())
    return fitted
