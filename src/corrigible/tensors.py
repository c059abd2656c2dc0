"""What kind of tensors everything here works with: dense and real."""

import torch
from torch import Tensor


def unfit(values: Tensor) -> str | None:
    """What about the tensor cannot be used, and what to do; None for a dense tensor of real numbers."""
    if values.is_quantized:
        return "a quantised tensor; expected plain numbers: .dequantize()"
    if values.is_nested:
        return "a nested tensor, of rows of different size; expected rows of one size: .to_padded_tensor(0.0)"
    if values.layout != torch.strided:
        return f"a sparse tensor ({plain_name(values.layout)}); expected a dense one: .to_dense()"
    if values.is_complex():
        return (
            f"a tensor of complex numbers ({plain_name(values.dtype)}); expected real ones: "
            "torch.view_as_real(…).flatten(-2), or their absolute value"
        )
    if values.is_meta:
        return "a tensor on the meta device, which has no values; expected numbers: build it on the CPU or a GPU"
    return None


def plain_name(kind: torch.dtype | torch.layout) -> str:
    """The name of a dtype or layout without ``torch.``."""
    return str(kind).removeprefix("torch.")


def is_half(dtype: torch.dtype) -> bool:
    """Whether numbers of this kind have less than single precision."""
    return dtype.is_floating_point and torch.finfo(dtype).bits < 32
