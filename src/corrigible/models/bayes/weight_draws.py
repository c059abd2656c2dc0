"""Draws of weights, which belong to a seed and a number: each number is one network for all rows."""

import hashlib

import torch
from torch import Tensor


def normal_draw(like: Tensor, number: int, *, seed: int, name: str) -> Tensor:
    """Standard normal numbers in the shape of the tensor, which depend on seed, name and number alone."""
    # They belong to no row, so PyTorch's generator will do; on the CPU, because each device has its own.
    key = int.from_bytes(hashlib.sha256(f"{seed}/{number}/{name}".encode()).digest()[:8], "little") >> 1
    with torch._C.DisableTorchFunction():
        generator = torch.Generator().manual_seed(key)
        return torch.randn(like.shape, generator=generator, dtype=like.dtype).to(like.device)
