"""How many rows the model should run on at once."""

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

FEWEST, MOST = 16, 8192
ON_DEVICE_BYTES = 2**30
"""What the activations of one chunk may take on a device other than the CPU."""
UNKNOWN_CACHE_BYTES = 2**20
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def rows_that_fit(model: nn.Module, first: Float[Tensor, " 1 *input"]) -> int:
    """How many rows' activations fit the processor's cache together, a power of two from 16 to 8192.

    Larger chunks go through main memory at every layer; smaller ones pay each layer's fixed cost more often.
    """
    budget = cache_bytes() if first.device.type == "cpu" else ON_DEVICE_BYTES
    rows = budget / activation_bytes(model, first)
    return min(max(2 ** round(math.log2(max(rows, 1))), FEWEST), MOST)


def activation_bytes(model: nn.Module, first: Float[Tensor, " 1 *input"]) -> int:
    """What one row and the outputs of all innermost layers for it take."""
    found: int = first.nbytes

    def add(module: nn.Module, arguments: Any, output: Any) -> None:
        nonlocal found
        found += int(output.nbytes) if isinstance(output, Tensor) else 0

    innermost = [module for module in model.modules() if not any(True for _ in module.children())]
    hooks = [module.register_forward_hook(add) for module in innermost]
    try:
        with torch.no_grad():
            model(first.clone())
    finally:
        for hook in hooks:
            hook.remove()
    return found


@lru_cache(maxsize=1)
def cache_bytes() -> int:
    """Size of a core's level 2 cache; 1 MiB where the system does not tell."""
    try:
        found = {(folder / "level").read_text().strip(): (folder / "size").read_text() for folder in _CACHES.iterdir()}
        return int(found["2"].strip().removesuffix("K")) * 1024
    except (OSError, KeyError, ValueError):
        return UNKNOWN_CACHE_BYTES
