"""Goodfellow, Shlens and Szegedy 2015, Explaining and harnessing adversarial examples: adversarial training."""

from dataclasses import replace
from typing import Literal

import torch
from torch import nn

from corrigible.augment.attacks import projected_gradient
from corrigible.batches import joined_batches
from corrigible.declarations import declared
from corrigible.types import Batch


@declared(kind="augmentation", rows="labelled")
def adversarial_rows(
    model: nn.Module,
    batch: Batch,
    generator: torch.Generator,
    *,
    epsilon: float = 0.1,
    steps: int = 1,
    step_size: float | None = None,
    random_start: bool = False,
    rows: Literal["both", "attacked"] = "both",
    low: float = 0.0,
    high: float = 1.0,
) -> Batch:
    """The batch with its rows attacked, using the model's current weights; ``both`` puts the original rows before them.

    One step without a random start is the fast gradient sign method.

    Args:
        epsilon: the largest change of an input, in units of x.
        step_size: None for epsilon in one step, 2.5 epsilon / steps in several.
        low, high: the least and the largest value an input may be moved to.

    Raises:
        RecipeError: an epsilon below 0, no steps, or a low that is not below high.
    """
    x = projected_gradient(
        model,
        batch.x,
        batch.y,
        epsilon=epsilon,
        steps=steps,
        step_size=epsilon if steps == 1 and step_size is None else step_size,
        low=low,
        high=high,
        random_start=random_start,
        index=batch.index,
        seed=int(torch.randint(2**62, (), generator=generator)) if random_start else 0,
    )
    attacked = replace(batch, x=x.to(batch.x))
    return attacked if rows == "attacked" else joined_batches([batch, attacked])
