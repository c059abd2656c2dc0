"""Max-pooling without gradients that is several times faster on a CPU.

PyTorch's kernel also finds the place of each maximum, for a backward pass that is not needed here. The elementwise
maximum of shifted copies of the image gives the same values, bit for bit.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_POOLS = (functional.max_pool2d, torch.max_pool2d)


class QuickPooling(TorchFunctionMode):
    """A mode that replaces max-pooling of images by windows that neither overlap nor extend over the edge."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function in _POOLS:
            found = _pooled(*args, **kwargs)
            if found is not None:
                return found
        return function(*args, **kwargs)


def _pooled(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | None:
    """The pooled images; None if PyTorch should compute them."""
    height, width = _pair(kernel_size)
    is_plain = (
        _pair(stride or kernel_size) == (height, width) and _pair(padding) == (0, 0) and _pair(dilation) == (1, 1)
    )
    wants_gradient = torch.is_grad_enabled() and input.requires_grad
    if not is_plain or ceil_mode or return_indices or wants_gradient or input.device.type != "cpu":
        return None
    down, across = input.shape[-2] // height, input.shape[-1] // width
    if input.ndim not in (3, 4) or not down or not across:
        return None
    whole = input[..., : down * height, : across * width]
    rows = reduce(torch.maximum, (whole[..., first::height, :] for first in range(height)))
    pooled = reduce(torch.maximum, (rows[..., first::width] for first in range(width)))
    return pooled.contiguous()


def _pair(value: Any) -> tuple[int, int]:
    first, last = (value[0], value[-1]) if isinstance(value, Sequence) else (value, value)
    return int(first), int(last)
