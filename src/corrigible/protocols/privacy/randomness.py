"""Draws for private training: from the operating system, or from a seed for research.

Whoever knows the seed can draw the noise again and subtract it. So a guarantee needs draws that nobody can repeat.
"""

import math
import os
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

NUM_SUMMED = 4
"""Normal numbers that are summed for one, so that the gaps between floating-point numbers tell nothing of the sum that
the noise was added to (Holohan and Braghin 2021, Secure random sampling in differential privacy)."""


@dataclass(frozen=True)
class Randomness:
    """A source of draws."""

    generator: torch.Generator | None
    """None for the operating system's cryptographic generator."""

    def uniform(self, count: int) -> Float[Tensor, " number"]:
        """Numbers in [0, 1) of 53 random bits."""
        if self.generator is not None:
            return torch.rand(count, generator=self.generator, dtype=torch.float64)
        words = np.frombuffer(os.urandom(8 * count), dtype=np.uint64)
        return torch.from_numpy((words >> np.uint64(11)).astype(np.float64) * 2.0**-53)

    def normal(self, count: int) -> Float[Tensor, " number"]:
        """Standard normal numbers, each the sum of four halves."""
        if self.generator is not None:
            drawn = torch.randn(NUM_SUMMED, count, generator=self.generator, dtype=torch.float64)
        else:
            drawn = self._box_muller(NUM_SUMMED * count).reshape(NUM_SUMMED, count)
        return drawn.sum(dim=0) / math.sqrt(NUM_SUMMED)

    def _box_muller(self, count: int) -> Float[Tensor, " number"]:
        half = -(-count // 2)
        radius = (-2 * torch.log1p(-self.uniform(half))).sqrt()
        angle = 2 * math.pi * self.uniform(half)
        return torch.cat([radius * angle.cos(), radius * angle.sin()])[:count]

    def chosen(self, num_rows: int, rate: float) -> Bool[Tensor, " row"]:
        """True for each row with this probability, whatever the others are (Poisson sampling)."""
        return self.uniform(num_rows) < rate


def randomness_of(seed: int | None) -> Randomness:
    """Draws that repeat with the seed; None for draws that nobody can repeat."""
    return Randomness(None if seed is None else torch.Generator().manual_seed(seed % 2**63))
