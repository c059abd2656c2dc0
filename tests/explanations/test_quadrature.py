"""Gauss-Legendre nodes are those of the eigenvalue method, integrate polynomials exactly, and are bounded."""

import numpy as np
import pytest
from numpy.polynomial.legendre import leggauss

from corrigible.errors import RecipeError
from corrigible.explanations.quadrature import gauss_legendre


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 51, 200])
def test_the_nodes_are_those_of_the_eigenvalue_method(steps):
    nodes, weights = gauss_legendre(steps)
    of_numpy, weights_of_numpy = leggauss(steps)
    np.testing.assert_allclose(nodes, (1 + of_numpy) / 2, rtol=0, atol=1e-15)
    np.testing.assert_allclose(weights, weights_of_numpy / 2, rtol=1e-10)


@pytest.mark.parametrize("steps", [1, 2, 5, 40, 2001])
def test_polynomials_below_twice_the_steps_are_integrated_exactly(steps):
    nodes, weights = gauss_legendre(steps)
    for degree in (0, steps, 2 * steps - 1):
        assert weights @ nodes**degree == pytest.approx(1 / (degree + 1), rel=1e-12)


@pytest.mark.parametrize("steps", [0, -3, 10**9, 10**30, 10**400])
def test_the_number_of_steps_is_bounded(steps):
    with pytest.raises(RecipeError, match=r"^steps is .{1,40}; expected at (least 1|most 10000)$"):
        gauss_legendre(steps)
