"""Teso and Kersting 2019, Explanatory interactive machine learning (CAIPI): counterexamples.

The reviewed rows are used a second time with their label, and with other values in the inputs that must not matter. New
values are drawn in every step, instead of enlarging the data set once.
"""

from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.explanations.counts import require_count
from corrigible.explanations.marks.replacement import class_mean, noise, other_rows, replaced
from corrigible.explanations.marks.shares import mean_over_marked
from corrigible.models.forward import Forward
from corrigible.types import Batch


@declared(kind="label loss", looks_at="own passes")
def counterexamples(
    forward: Forward,
    batch: Batch,
    *,
    fill: Literal["other_rows", "noise", "class_mean"] = "other_rows",
    copies: int = 1,
    donors: Tensor | None = None,
    class_means: Tensor | None = None,
) -> Float[Tensor, ""]:
    """Mean label loss of the marked rows with their marked inputs replaced (for classes in nats).

    Args:
        fill: other rows' values; normal noise with each input's mean and standard deviation (for one-hot categories
            other rows' values); or the mean of the row's class (the most common value of a category), which still tells
            the class if the marked inputs do so on most of its rows.
        copies: counterexamples of each row, each with its own draws; one is enough for ``class_mean``.
        donors: rows to take values from, (row, *input); None for what the other rows of the batch lend.
        class_means: (num_classes, *input); None for the means in the batch.

    Raises:
        RecipeError: fewer than 1 copy.
        DataError: donors or class means of other inputs.
    """
    assert batch.irrelevant is not None
    require_count("copies", copies)
    losses = forward.x.new_zeros(())
    for copy in range(copies):
        values = _values(forward, fill, f"counterexamples/{copy}", donors, class_means)
        changed = replace(batch, x=replaced(batch, forward.x.detach(), values))
        seen = Forward(forward.model, changed, seed=forward.seed, track_input=False).unobserved()
        losses = losses + mean_over_marked(seen.task.loss(seen.outputs, changed.y, changed.extra), batch.irrelevant)
    return losses / copies


def _values(
    forward: Forward, fill: str, name: str, donors: Tensor | None, class_means: Tensor | None
) -> Float[Tensor, " batch *input"]:
    with torch.no_grad():
        if fill == "class_mean":
            return class_mean(forward, class_means)
        return (noise if fill == "noise" else other_rows)(forward, donors, name)
