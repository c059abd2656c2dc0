"""Gauss-Legendre quadrature: where on a path gradients are taken, and how they are weighted.

Golub and Welsch's eigenvalues cost the cube of the number of nodes. Newton's method on the Legendre polynomial, from
Tricomi's asymptotic roots, costs its square, in numbers and not in passes of a network.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from corrigible.explanations.counts import require_count

MOST_STEPS = 10_000


@lru_cache(maxsize=8)
def gauss_legendre(steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes between 0 and 1, in rising order, and their weights, which sum to 1.

    Raises:
        RecipeError: fewer than 1 step, or more than 10,000.
    """
    require_count("steps", steps, most=MOST_STEPS)
    place = np.arange(1, (steps + 1) // 2 + 1)
    roots = (1 - 1 / (8 * steps**2) + 1 / (8 * steps**3)) * np.cos(np.pi * (4 * place - 1) / (4 * steps + 2))
    for _ in range(3):
        value, slope = _legendre(roots, steps)
        roots = roots - value / slope
    _, slope = _legendre(roots, steps)
    weights = 1 / ((1 - roots) * (1 + roots) * slope**2)
    # Both are symmetric about the middle, which is a node itself if their number is odd.
    nodes = np.concatenate([(1 - roots) / 2, (1 + roots[: steps // 2][::-1]) / 2])
    weights = np.concatenate([weights, weights[: steps // 2][::-1]])
    for values in (nodes, weights):
        values.flags.writeable = False  # They are kept for the next call.
    return nodes, weights


def _legendre(x: NDArray[np.float64], degree: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The Legendre polynomial of this degree and its derivative, by Bonnet's recursion."""
    before, value = np.ones_like(x), x
    for n in range(1, degree):
        before, value = value, ((2 * n + 1) * x * value - n * before) / (n + 1)
    return value, degree * (before - x * value) / ((1 - x) * (1 + x))
