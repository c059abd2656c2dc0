"""Convolutions whose input gradient can be differentiated again at the cost of ordinary convolutions.

In the double backward of a convolution, PyTorch computes the weight's part as a convolution with kernels as large as
the image. On a CPU this is several times slower than its kernel for weight gradients, which is used here: the input
gradient is linear in the incoming gradient and in the weight, so both of its derivatives are again convolutions.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import pad, pixel_shuffle
from torch.overrides import TorchFunctionMode


class _Settings(NamedTuple):
    stride: list[int]
    padding: list[int]
    dilation: list[int]
    groups: int


class TwiceDifferentiable(TorchFunctionMode):
    """A mode in which convolutions are replaced and attention is not fused.

    Inside it, ``inputs_only`` saves weight gradients that are not needed.
    """

    def __init__(self) -> None:
        super().__init__()
        self._wants_weights = True
        self.entered: Tensor | None = None
        """The model's input, if gradients with respect to it are needed only inside `inputs_only`."""

    @contextmanager
    def inputs_only(self) -> Iterator[None]:
        """A context with gradients with respect to inputs and activations only, not weights and biases."""
        self._wants_weights = False
        try:
            yield
        finally:
            self._wants_weights = True

    @property
    def wants_weights(self) -> bool:
        return self._wants_weights

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        dimensions = _DIMENSIONS.get(function)
        if function in _ATTENTION:
            # PyTorch's fused attention cannot be differentiated twice.
            with sdpa_kernel(SDPBackend.MATH):
                return function(*args, **kwargs)
        if dimensions is None:
            return function(*args, **kwargs)
        call = _bound(*args, **kwargs)
        x, weight = call["input"], call["weight"]
        if x.ndim != dimensions + 2 or isinstance(call["padding"], str) or not x.requires_grad:
            return function(*args, **kwargs)
        stride, padding, dilation = (
            _per_dimension(call[name], dimensions) for name in ("stride", "padding", "dilation")
        )
        settings = _Settings(stride, padding, dilation, call["groups"])
        return _Convolution.apply(x, weight, call["bias"], settings, self, x is self.entered)


class _Convolution(Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        settings: _Settings,
        mode: TwiceDifferentiable,
        is_entered: bool,
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.settings, ctx.mode, ctx.has_bias, ctx.is_entered = settings, mode, bias is not None, is_entered
        return _forward(x, weight, bias, settings)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        wants_x, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        wants_x = wants_x and not (ctx.is_entered and ctx.mode.wants_weights)
        of_x = _InputGradient.apply(gradient, weight, x.detach(), ctx.settings) if wants_x else None
        of_weight = of_bias = None
        if ctx.mode.wants_weights and (wants_weight or wants_bias):
            mask = [False, wants_weight, wants_bias and ctx.has_bias]
            _, of_weight, of_bias = _backward(gradient, x, weight, ctx.settings, mask)
        return of_x, of_weight, of_bias, None, None, None


class _InputGradient(Function):
    """Linear in the incoming gradient and in the weight; ``x`` gives only the shape."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, weight: Tensor, x: Tensor, settings: _Settings) -> Tensor:
        ctx.save_for_backward(gradient, weight)
        ctx.settings = settings
        return _input_gradient(gradient, x, weight, settings)

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        gradient, weight = ctx.saved_tensors
        of_gradient = _forward(outer, weight, None, ctx.settings) if ctx.needs_input_grad[0] else None
        of_weight = None
        if ctx.needs_input_grad[1]:
            of_weight = _backward(gradient, outer, weight, ctx.settings, [False, True, False])[1]
        return of_gradient, of_weight, None, None


_DIMENSIONS = {
    torch.conv1d: 1,
    torch.conv2d: 2,
    torch.conv3d: 3,
    functional.conv1d: 1,
    functional.conv2d: 2,
    functional.conv3d: 3,
}
_LANES = 16
"""Number of single-precision numbers in a processor's widest vectors."""
_ATTENTION = {functional.scaled_dot_product_attention, functional.multi_head_attention_forward}


def _bound(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> dict[str, Any]:
    """The arguments of a convolution by name."""
    return locals()


def _per_dimension(value: int | Sequence[int], dimensions: int) -> list[int]:
    return [value] * dimensions if isinstance(value, int) else list(value) * (dimensions if len(value) == 1 else 1)


def _forward(x: Tensor, weight: Tensor, bias: Tensor | None, settings: _Settings) -> Tensor:
    stride, padding, dilation, groups = settings
    return torch.convolution(x, weight, bias, stride, padding, dilation, False, [0] * len(stride), groups)


def _input_gradient(gradient: Tensor, x: Tensor, weight: Tensor, settings: _Settings) -> Tensor:
    """The input gradient, as a convolution with the flipped kernel if it is one: faster on a CPU with few channels."""
    stride, padding, dilation, groups = settings
    reach = [d * (size - 1) - p for d, size, p in zip(dilation, weight.shape[2:], padding, strict=True)]
    if groups == 1 and set(stride) == {1} and min(reach) >= 0:
        flipped = weight.transpose(0, 1).flip(tuple(range(2, weight.ndim))).contiguous()
        step = _step(x) if set(dilation) == {1} else 1
        if step > 1:
            return _convolved_in_steps(gradient, flipped, reach, step)
        return _forward(gradient, flipped, None, _Settings(stride, reach, dilation, 1))
    found: Tensor = _backward(gradient, x, weight, settings, [True, False, False])[0]
    return found


def _step(x: Tensor) -> int:
    """The side of the pixel squares to compute at once, so that an image of few channels fills processor vectors."""
    if x.ndim != 4 or x.device.type != "cpu":
        return 1
    fitting = (step for step in (4, 2) if x.shape[1] * step**2 <= _LANES and not any(s % step for s in x.shape[2:]))
    return next(fitting, 1)


def _convolved_in_steps(x: Tensor, weight: Tensor, padding: list[int], step: int) -> Tensor:
    """The same convolution, computed with the pixels of a square as channels and the square's side as stride."""
    places = [(down, across) for down in range(step) for across in range(step)]
    moved = [pad(weight, (across, step - 1 - across, down, step - 1 - down)) for down, across in places]
    squares = _forward(x, torch.stack(moved, 1).flatten(0, 1), None, _Settings([step] * 2, padding, [1] * 2, 1))
    return pixel_shuffle(squares, step)


def _backward(gradient: Tensor, x: Tensor, weight: Tensor, settings: _Settings, mask: list[bool]) -> Any:
    stride, padding, dilation, groups = settings
    bias_sizes = [weight.shape[0]]
    return torch.ops.aten.convolution_backward(
        gradient, x, weight, bias_sizes, stride, padding, dilation, False, [0] * len(stride), groups, mask
    )
