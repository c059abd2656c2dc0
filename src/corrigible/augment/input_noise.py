"""Normal noise on the inputs, which on average penalises large input gradients (Bishop 1995, Training with noise is
equivalent to Tikhonov regularization).
"""

from dataclasses import replace

import torch
from torch import nn

from corrigible.declarations import declared
from corrigible.errors import RecipeError
from corrigible.types import Batch


@declared(kind="augmentation", rows="labelled", looks_at="nothing")
def input_noise(model: nn.Module, batch: Batch, generator: torch.Generator, *, deviation: float = 0.1) -> Batch:
    """The batch with independent normal noise on every input.

    Args:
        deviation: standard deviation, in units of x.

    Raises:
        RecipeError: a deviation below 0.
    """
    if not deviation >= 0:
        raise RecipeError(f"deviation is {deviation}; expected a number of at least 0")
    noise = torch.randn(batch.x.shape, generator=generator, device=generator.device)
    return replace(batch, x=batch.x + deviation * noise.to(batch.x))
