"""DeepLIFT's multipliers of nonlinear functions: change of the output from the baseline's, per change of the input."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.errors import UnsupportedModelError
from corrigible.models.nonlinear import MAX_POOLS, SMOOTH, Backward, Call, Nonlinearities, Rule
from corrigible.outputs import as_outputs

TINY = 1e-10
"""Difference of inputs below which a function with kinks uses its derivative as multiplier."""


class Recorded(NamedTuple):
    """The input and output of one call of a nonlinear function for the baseline."""

    name: str
    x: Tensor
    result: Tensor
    places: Tensor | None
    """The places of the maxima that a pooling took."""


def recorded(
    model: nn.Module, start: Float[Tensor, " 1 *input"], *, differentiable: bool
) -> tuple[list[Recorded], Float[Tensor, " 1 num_classes"]]:
    """The calls of nonlinear functions in the baseline's pass, in order, and the baseline's logits."""
    calls: list[Recorded] = []

    def record(call: Call) -> tuple[Tensor, Backward | None]:
        result, places = _result(call)
        # Copies, because the model may overwrite both later.
        calls.append(Recorded(call.name, call.x.clone(), result.clone(), places))
        return result, None

    with torch.set_grad_enabled(differentiable), Nonlinearities(record):
        return calls, as_outputs(model(start.clone()))


def rescale_rule(calls: Sequence[Recorded], num_rows: int, *, differentiable: bool) -> Rule:
    """The rule that gradients pass back through each function times its multipliers.

    The multipliers compare each call with the same call in the baseline's pass. With ``differentiable`` they keep their
    graph to the parameters.
    """
    waiting = iter(calls)

    def rescale(call: Call) -> tuple[Tensor, Backward]:
        with torch.set_grad_enabled(differentiable):
            before = _matching(next(waiting, None), call, num_rows)
            result, places = _result(call)
            if places is not None:
                return result, _through_pooling(call, before, result, places)
            multipliers = _multipliers(call, before, result, differentiable)
        return result, lambda gradient: gradient * multipliers

    return rescale


def _result(call: Call) -> tuple[Tensor, Tensor | None]:
    if call.name in MAX_POOLS:
        result, places = call.on(call.x, return_indices=True)
        return result, places
    return call.on(call.x), None


def _multipliers(call: Call, before: Recorded, result: Tensor, differentiable: bool) -> Tensor:
    way = call.x - before.x
    limit = (24 * torch.finfo(way.dtype).eps) ** (1 / 3) if call.name in SMOOTH else TINY
    close = way.abs() < limit
    ratio = (result - before.result) / way.masked_fill(close, 1)
    if not bool(close.any()):
        return ratio
    # For a difference d, the midpoint derivative has an error of order d², the ratio one of rounding / d: equal here.
    with torch.enable_grad():
        middle = call.x - way / 2
        middle = middle if differentiable else middle.detach()
        middle = middle if middle.requires_grad else middle.requires_grad_()
        (slope,) = torch.autograd.grad(call.on(middle).sum(), middle, create_graph=differentiable)
    return torch.where(close, slope, ratio)


def _through_pooling(call: Call, before: Recorded, result: Tensor, places: Tensor) -> Backward:
    """The multipliers of a max pooling, with respect to the larger of the row's and the baseline's maximum.

    The rise up to it belongs to the input that is the row's maximum, the fall from it to the input that was the
    baseline's maximum: each of these inputs changed by at least as much. If several inputs were the baseline's maximum,
    the fall belongs to the one that is the row's maximum, if it is among them.
    """
    assert before.places is not None
    axes = -int(call.name[-2])
    x, x_before = call.x.flatten(axes), before.x.expand_as(call.x).flatten(axes)
    now, then = places.flatten(axes), before.places.expand_as(places).flatten(axes)
    y, y_before = result.flatten(axes), before.result.expand_as(result).flatten(axes)
    then = torch.where(x_before.gather(-1, now) < y_before, then, now)
    larger, way = torch.maximum(y, y_before), x - x_before
    of_now = _share(larger - y_before, way.gather(-1, now), 1.0)
    of_then = _share(y - larger, way.gather(-1, then), 0.0)

    def backward(gradient: Tensor) -> Tensor:
        flat = gradient.flatten(axes)
        found = torch.zeros_like(way).scatter_add(-1, now, flat * of_now).scatter_add(-1, then, flat * of_then)
        return found.view_as(call.x)

    return backward


def _share(rise: Tensor, way: Tensor, where_unchanged: float) -> Tensor:
    close = way.abs() < TINY
    return (rise / way.masked_fill(close, 1)).masked_fill(close, where_unchanged)


def _matching(before: Recorded | None, call: Call, num_rows: int) -> Recorded:
    """The baseline's call in shapes that broadcast to those of the rows' call.

    Raises:
        UnsupportedModelError: the model ran other functions for the baseline.
    """
    ran = None if before is None else (before.name, tuple(before.x.shape))
    if before is not None and before.name == call.name and before.x.ndim == call.x.ndim:
        if all(size in (1, full) for size, full in zip(before.x.shape, call.x.shape, strict=True)):
            return before
        if call.x.shape == (num_rows * len(before.x), *before.x.shape[1:]):
            return _repeated(before, num_rows)
    raise UnsupportedModelError(
        f"{call.name} ran on shape {tuple(call.x.shape)} where for the baseline {ran or 'nothing'} ran; deep_lift "
        "needs a model that runs the same functions for every row: choose integrated_gradients"
    )


def _repeated(before: Recorded, times: int) -> Recorded:
    x, result, places = (
        None if tensor is None else tensor.repeat(times, *[1] * (tensor.ndim - 1)) for tensor in before[1:]
    )
    assert x is not None and result is not None
    return Recorded(before.name, x, result, places)
