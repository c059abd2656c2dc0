"""Replace activations with a kink by softplus while a model runs.

The second derivative of a piecewise linear activation is infinite at its kink and 0 elsewhere, so a network of such
activations seems to have no interactions. Softplus, log(1 + exp(beta z)) / beta, rounds the kink off (Dombrowski et al.
2019, Explanations can be manipulated and geometry is to blame; Janizek, Sturmfels and Lee 2021, Explaining
explanations).
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor
from torch.nn import functional

from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.models.nonlinear import MAX_POOLS, Backward, Call, Nonlinearities

Ramp = Callable[[Tensor], Tensor]
"""A ramp with a rounded corner: nearly 0 below 0, nearly z above."""


def smooth_activations_of(beta: float | None) -> Nonlinearities:
    """A mode in which activations made of ramps are rounded off, and other kinks are refused.

    ReLU, ReLU6, leaky ReLU, hard tanh and clamping to numbers are rounded off, as layers, functions or methods. If beta
    is None, these are refused too. Functions inside compiled code, like `torch.jit`, are not intercepted.

    Args:
        beta: sharpness of the rounded corner, above 0: the larger, the closer to the model itself.

    Raises:
        RecipeError: a beta that is not above 0.
        UnsupportedModelError: raised by the model's pass, at the first kink that cannot be rounded off.
    """
    if beta is not None and not 0 < beta < float("inf"):
        raise RecipeError(f"beta is {beta}; expected a number above 0, or None")
    return Nonlinearities(partial(_rule, beta))


def require_no_maxima_of(seen: Nonlinearities) -> None:
    """Raises UnsupportedModelError if a maximum or minimum ran, which no rule can round off."""
    names = {name.rpartition(".")[2].rstrip("_") for name in seen.others}
    for name in sorted(names & _MAXIMA):
        raise _refusal(name)


def rounded_off(call: Call, beta: float) -> Tensor:
    """The call's result with rounded corners; the true result for functions that are not rounded off."""
    if call.name not in _ROUNDED:
        found: Tensor = call.on(call.x)
        return found
    return _ROUNDED[call.name](call.x, lambda z: functional.softplus(z, beta=beta), *call.args, **call.kwargs)


def _rule(beta: float | None, call: Call) -> tuple[Tensor, Backward | None]:
    if not call.x.requires_grad:
        return call.on(call.x), None
    if call.name in _REFUSED or (beta is None and call.name in _ROUNDED):
        raise _refusal(call.name)
    return call.on(call.x) if beta is None else rounded_off(call, beta), None


def _relu(z: Tensor, ramp: Ramp) -> Tensor:
    return ramp(z)


def _leaky_relu(z: Tensor, ramp: Ramp, negative_slope: float | int = 0.01) -> Tensor:
    return negative_slope * z + (1 - negative_slope) * ramp(z)


def _clamp(z: Tensor, ramp: Ramp, min: float | int | None = None, max: float | int | None = None) -> Tensor:
    if min is None:
        return z if max is None else max - ramp(max - z)
    above = min + ramp(z - min)
    return above if max is None else above - ramp(z - max)


def _clamp_max(z: Tensor, ramp: Ramp, max: float | int) -> Tensor:
    return _clamp(z, ramp, None, max)


def _relu6(z: Tensor, ramp: Ramp) -> Tensor:
    return _clamp(z, ramp, 0.0, 6.0)


def _hardtanh(z: Tensor, ramp: Ramp, min_val: float | int = -1.0, max_val: float | int = 1.0) -> Tensor:
    return _clamp(z, ramp, min_val, max_val)


def _refusal(name: str) -> UnsupportedModelError:
    hint = "give beta, e.g. 10, to round it off" if name in _ROUNDED else "use a model without it"
    return UnsupportedModelError(
        f"the model uses {name}, whose kinks have no second derivative: interactions there would be missed; {hint}"
    )


_ROUNDED: dict[str, Callable[..., Tensor]] = {
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "relu6": _relu6,
    "hardtanh": _hardtanh,
    "clamp": _clamp,
    "clip": _clamp,
    "clamp_min": _clamp,
    "clamp_max": _clamp_max,
}
_REFUSED = frozenset(
    ("prelu", "rrelu", "threshold", "hardswish", "hardsigmoid", "hardshrink", "softshrink", "abs", *MAX_POOLS)
)
_MAXIMA = frozenset(("max", "amax", "maximum", "min", "amin", "minimum", "rnn_relu", *_ROUNDED, *_REFUSED))
"""Functions of more than one tensor, which the rule does not see."""
