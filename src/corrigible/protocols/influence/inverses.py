"""Gradients of queries divided by the curvature of what was learned: exactly, or by conjugate gradients."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.errors import RecipeError
from corrigible.protocols.influence.curvature import VECTORS_AT_ONCE, Curvature, curvature_matrix, curvature_products
from corrigible.protocols.influence.learned import Learned

LEAST_SHARE = 0.01
"""Without a damping of the caller's, the smallest eigenvalue becomes at least this share of the largest."""
POWER_STEPS = 12
TOLERANCE, MOST_STEPS = 1e-5, 200
"""Conjugate gradients end at this relative residual, or after so many steps."""

Vectors = Float[Tensor, " query weight"]


@dataclass(frozen=True)
class Inverse:
    """The inverse of a damped curvature, as a function, and what is known of it."""

    solve: Callable[[Vectors], Vectors]
    damping: float
    smallest_eigenvalue: float | None = None
    largest_eigenvalue: float | None = None
    residual: Callable[[], float] | None = None
    """The largest relative residual of what was solved last; None where it is solved directly."""

    def has_negative(self, dtype: torch.dtype) -> bool:
        """Whether an eigenvalue is below 0 by more than rounding."""
        if self.smallest_eigenvalue is None or self.largest_eigenvalue is None:
            return False
        rounding: float = torch.finfo(dtype).eps ** 0.5
        return self.smallest_eigenvalue < -rounding * abs(self.largest_eigenvalue)


def exact_inverse(learned: Learned, kind: Curvature, damping: float | None) -> Inverse:
    """By the eigenvalues of the whole matrix, in double precision.

    Raises:
        UnsupportedModelError: more than 5,000 weights.
    """
    values, vectors = torch.linalg.eigh(curvature_matrix(learned, kind))
    smallest, largest = float(values[0]), float(values[-1])
    damping = usual_damping(smallest, largest) if damping is None else damping

    def solve(given: Vectors) -> Vectors:
        turned = given.double() @ vectors
        found: Tensor = ((turned / (values + damping)) @ vectors.T).to(given.dtype)
        return found

    return Inverse(solve, damping, smallest, largest)


def checked_damping(damping: Any) -> float | None:
    """The damping as a number, or None.

    Raises:
        RecipeError: no finite number of at least 0.
    """
    if damping is None:
        return None
    if isinstance(damping, bool) or not isinstance(damping, Real) or not 0 <= float(damping) < math.inf:
        raise RecipeError(f"damping is {damping!r}; expected a finite number of at least 0, or None")
    return float(damping)


def usual_damping(smallest: float, largest: float) -> float:
    """What brings the smallest eigenvalue to a hundredth of the largest, and a negative one as far above 0."""
    return max(0.0, LEAST_SHARE * largest - smallest, -2 * smallest)


def iterative_inverse(learned: Learned, kind: Curvature, damping: float | None) -> Inverse:
    """By conjugate gradients (Hestenes and Stiefel 1952); the largest eigenvalue is found by powers.

    Without a damping of the caller's it is a hundredth of the largest eigenvalue, less the weight decay.
    """
    largest = _largest_eigenvalue(learned, kind)
    damping = max(0.0, LEAST_SHARE * largest - learned.weight_decay) if damping is None else damping
    residuals: list[float] = []

    def solve(given: Vectors) -> Vectors:
        parts = [
            conjugate_gradients(lambda v: curvature_products(learned, kind, v) + damping * v, part)
            for part in given.split(VECTORS_AT_ONCE)
        ]
        residuals[:] = [residual for _, residual in parts]
        return torch.cat([found for found, _ in parts])

    return Inverse(solve, damping, None, largest, lambda: max(residuals))


def _largest_eigenvalue(learned: Learned, kind: Curvature) -> float:
    generator = torch.Generator().manual_seed(0)
    vector = torch.randn(1, learned.weights.count, generator=generator).to(learned.theta)
    size = 0.0
    for _ in range(POWER_STEPS):
        vector = curvature_products(learned, kind, vector / vector.norm().clamp_min(1e-30))
        size = float(vector.norm())
    return size


def conjugate_gradients(product: Callable[[Vectors], Vectors], given: Vectors) -> tuple[Vectors, float]:
    """Solutions of product(v) = given, one for each row, and the largest relative residual that is left."""
    size = given.norm(dim=1, keepdim=True).clamp_min(torch.finfo(given.dtype).tiny)
    found, left = torch.zeros_like(given), given / size
    direction, squares = left, left.square().sum(dim=1, keepdim=True)
    for _ in range(MOST_STEPS):
        if float(squares.max()) <= TOLERANCE**2:
            break
        along = product(direction)
        bend = (direction * along).sum(dim=1, keepdim=True)
        step = torch.where(squares > 0, squares / torch.where(bend == 0, 1.0, bend), 0.0)
        found, left = found + step * direction, left - step * along
        before, squares = squares, left.square().sum(dim=1, keepdim=True)
        direction = left + torch.where(before > 0, squares / torch.where(before == 0, 1.0, before), 0.0) * direction
    residual = (product(found) - given / size).norm(dim=1)
    return found * size, float(residual.max())
