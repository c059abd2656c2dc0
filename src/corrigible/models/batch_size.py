"""How many rows a model should run on at once."""

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.errors import RecipeError
from corrigible.models.networks import hookable

FEWEST, MOST = 16, 8192
ON_DEVICE_BYTES = 2**30
"""Most memory for the activations of the rows that run at once on a device other than the CPU."""
LARGE_BYTES = 2**29
"""Most memory for the activations of the usual smallest number of rows; if rows are larger, fewer run at once."""
UNKNOWN_CACHE_BYTES, MOST_CACHE_BYTES = 2**20, 2**23
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def rows_at_once_of(given: int | None, model: nn.Module, first: Float[Tensor, " 1 *input"]) -> int:
    """How many rows to run at once: the number that the caller gives, or for None as many as fit.

    Raises:
        RecipeError: fewer than 1.
    """
    if given is None:
        return rows_that_fit(model, first)
    if given < 1:
        raise RecipeError(f"rows_at_once is {given}; expected at least 1, or None for as many as fit")
    return given


def rows_that_fit(model: nn.Module, first: Float[Tensor, " 1 *input"]) -> int:
    """The number of rows whose activations fit into the processor's cache together, a power of two from 16 to 8192.

    With more rows every layer goes through main memory; with fewer, each layer's fixed cost is paid more often. If 16
    rows take more than half a GiB, as in large networks on photographs, the number is smaller than 16.
    """
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        return FEWEST  # Nothing is known about the layers inside of a program.
    budget = cache_bytes() if first.device.type == "cpu" else ON_DEVICE_BYTES
    size = activation_bytes(model, first)
    fewest = 1 << int(math.log2(min(max(LARGE_BYTES // size, 1), FEWEST)))
    return min(max(1 << round(math.log2(max(budget / size, 1))), fewest), MOST)


def activation_bytes(model: nn.Module, first: Float[Tensor, " 1 *input"]) -> int:
    """The bytes of one row and of the outputs of all innermost layers for it."""
    found: int = first.nbytes

    def add(module: nn.Module, arguments: Any, output: Any) -> None:
        nonlocal found
        found += int(output.nbytes) if isinstance(output, Tensor) else 0

    innermost = [module for _, module in hookable(model) if not any(True for _ in module.children())]
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
    """A core's share of its last-level cache, from its level 2 cache up to 8 MiB; 1 MiB if the system does not say.

    The last-level cache is fast enough to outweigh a layer's fixed cost, but more than 8 MiB of it has no benefit.
    """
    shares = [share for folder in _CACHES.glob("index*") if (share := _share(folder))]
    return min(max(shares, default=UNKNOWN_CACHE_BYTES), MOST_CACHE_BYTES)


def _share(folder: Path) -> int:
    """Bytes of this cache per core that uses it; 0 for an instruction cache or one without a description."""
    try:
        name, size, cores = ((folder / part).read_text().strip() for part in ("type", "size", "shared_cpu_list"))
        return int(size.removesuffix("K")) * 1024 // _count(cores) if name != "Instruction" else 0
    except (OSError, ValueError):
        return 0


def _count(cores: str) -> int:
    """The number of cores in a list like ``0-3,8``."""
    ends = [part.split("-") for part in cores.split(",")]
    return sum(int(end[-1]) - int(end[0]) + 1 for end in ends)
