"""Guo, Goldstein, Hannun and van der Maaten 2020, Certified data removal from machine learning models: a Newton step.

Where the gradient of the loss of all rows is 0, the step that minimises the loss of kept rows to second order adds to
the weights the inverse of its Hessian times the gradient that the forgotten rows had: an influence function (Koh and
Liang 2017). For losses that are quadratic it is exact. The inverse is found by conjugate gradients from products with
the Hessian, for networks with a damped one, because it may curve downwards.
"""

import logging
from collections.abc import Callable, Generator, Sequence

import torch
from torch import Tensor, nn

from corrigible.data.dataset import rows_of
from corrigible.errors import DataError, RecipeError
from corrigible.protocols.unlearning.forgetting import Forgetting
from corrigible.protocols.unlearning.gradients import loss_gradients, mean_losses, total_weight
from corrigible.training import Epoch

log = logging.getLogger(__name__)
ENOUGH = 1e-10
"""Share of the squared residual at which conjugate gradients stop."""


def newton_step(
    forgetting: Forgetting, *, damping: float = 1e-2, iterations: int = 10, most_rows: int = 1000
) -> Generator[Epoch, None, nn.Module]:
    """A copy whose weights made one step, which removes the forgotten rows' influence to second order.

    Nothing is trained. It is for small models near a minimum of their loss; each iteration costs about four passes
    over the kept rows that are looked at.

    Args:
        damping: added to the Hessian of the mean loss in all directions; 0 only where that is positive definite.
        iterations: of conjugate gradients.
        most_rows: of the kept rows, drawn by the seed, the most that the Hessian is computed from.

    Raises:
        RecipeError: a damping below 0, fewer than one iteration or row.
        NoGradientError: every parameter is frozen.
        DataError: all kept rows have weight 0.
    """
    if not (damping >= 0 and iterations >= 1 and most_rows >= 1):
        given = f"damping is {damping}, iterations {iterations} and most_rows {most_rows}"
        raise RecipeError(f"{given}; expected a damping of at least 0, and at least 1 of both others")
    found, gradients = forgetting.copy(), loss_gradients(forgetting, forgetting.forgotten)
    parameters = [p for p in found.parameters() if p.requires_grad]
    if (total := total_weight(forgetting.kept)) == 0:
        raise DataError("the weights of all kept rows are 0; expected some above 0")
    share = total_weight(forgetting.forgotten) / total
    direction = [share * gradients[name] for name, p in found.named_parameters() if p.requires_grad]
    times = _hessian(forgetting, found, parameters, most_rows)
    step = conjugate_gradients(
        lambda v: [h + damping * u for h, u in zip(times(v), v, strict=True)], direction, iterations
    )
    with torch.no_grad():
        for parameter, change in zip(parameters, step, strict=True):
            parameter.add_(change)
    yield from ()
    return found


def _hessian(
    forgetting: Forgetting, model: nn.Module, parameters: Sequence[nn.Parameter], most_rows: int
) -> Callable[[Sequence[Tensor]], list[Tensor]]:
    """A function that multiplies a direction with the Hessian of the kept rows' mean loss at these weights."""
    order = torch.randperm(len(forgetting.kept), generator=torch.Generator().manual_seed(forgetting.seed))
    rows = rows_of(forgetting.kept, order[:most_rows].sort().values)

    def times(direction: Sequence[Tensor]) -> list[Tensor]:
        total = [torch.zeros_like(p) for p in parameters]
        for part in mean_losses(forgetting, model, rows):
            first = torch.autograd.grad(part, parameters, create_graph=True, materialize_grads=True)
            along = torch.stack([(g * v).sum() for g, v in zip(first, direction, strict=True)]).sum()
            second = torch.autograd.grad(along, parameters, materialize_grads=True)
            total = [t + s for t, s in zip(total, second, strict=True)]
        return total

    return times


def conjugate_gradients(
    times: Callable[[Sequence[Tensor]], list[Tensor]], right: Sequence[Tensor], iterations: int
) -> list[Tensor]:
    """The solution s of A s = right, as far as so many iterations bring it; a log record says where A curves down.

    Args:
        times: multiplies a direction with the matrix A.
    """
    solution, residual = [torch.zeros_like(r) for r in right], list(right)
    direction, size = list(right), _product(right, right)
    start = float(size)
    for _ in range(iterations):
        if float(size) <= ENOUGH * start:
            break
        image = times(direction)
        curvature = _product(direction, image)
        if float(curvature) <= 0:
            log.warning("the kept rows' loss curves downwards: the Newton step stops early; give more damping")
            break
        length = size / curvature
        solution = [s + length * d for s, d in zip(solution, direction, strict=True)]
        residual = [r - length * i for r, i in zip(residual, image, strict=True)]
        size, before = _product(residual, residual), size
        direction = [r + size / before * d for r, d in zip(residual, direction, strict=True)]
    return solution


def _product(left: Sequence[Tensor], right: Sequence[Tensor]) -> Tensor:
    return torch.stack([(a * b).sum() for a, b in zip(left, right, strict=True)]).sum()
