"""Parameter gradients against finite differences."""

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

STEP = 1e-5


def require_slope(model: nn.Module, loss: Callable[..., Tensor], *, abs_tol: float = 1e-9) -> None:
    """Asserts that the gradient along a drawn direction equals the finite difference, and is not 0.

    Args:
        loss: (model, differentiable) -> scalar; differentiable keeps the graph to the parameters.
    """
    parameters = list(model.parameters())
    exact = torch.autograd.grad(loss(model, True), parameters, allow_unused=True)
    generator = torch.Generator().manual_seed(3)
    direction = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
    slope = sum(float((g * d).sum()) for g, d in zip(exact, direction, strict=True) if g is not None)
    ends = []
    for step in (STEP, -STEP):
        moved = copy.deepcopy(model)
        with torch.no_grad():
            for p, d in zip(moved.parameters(), direction, strict=True):
                p += step * d
        ends.append(float(loss(moved)))
    assert math.isclose(slope, (ends[0] - ends[1]) / (2 * STEP), rel_tol=1e-5, abs_tol=abs_tol)
    assert slope != 0
