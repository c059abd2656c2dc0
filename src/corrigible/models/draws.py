"""Random numbers that depend on a row, not on its place in a batch.

A counter-based generator: each draw is a hash (SplitMix64, Steele, Lea and Flood 2014) of the seed, a name, the row's
index and the draw's position. Reordering, repeating or splitting rows changes no draw, on any device.
"""

import hashlib
from math import prod

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor


def row_normal(
    index: Int[Tensor, " batch"], shape: tuple[int, ...], *, seed: int, name: str
) -> Float[Tensor, " batch *shape"]:
    """Independent standard normal numbers for each row (Box and Muller 1958), float64."""
    first, second = np.split(row_uniform(index, (2 * prod(shape),), seed=seed, name=name).numpy(), 2, axis=1)
    normal = np.sqrt(-2.0 * np.log(first)) * np.cos(2.0 * np.pi * second)
    return torch.from_numpy(normal).reshape(len(index), *shape)


def row_uniform(
    index: Int[Tensor, " batch"], shape: tuple[int, ...], *, seed: int, name: str, start: int = 0
) -> Float[Tensor, " batch *shape"]:
    """Independent numbers for each row, uniform between 0 and 1; float64, on the CPU.

    Args:
        start: position of the first draw; the draws are those that a longer shape would have from there on.
    """
    stream = int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "little")
    rows = _mixed(index.detach().cpu().numpy().astype(np.uint64) ^ np.uint64(stream))
    positions = _mixed(np.arange(start, start + prod(shape), dtype=np.uint64))
    bits = _mixed(rows[:, None] + positions[None, :])
    uniform = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    return torch.from_numpy(uniform).reshape(len(index), *shape)


def _mixed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's output function; unsigned arithmetic wraps around, as intended."""
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
