"""Teso and Kersting 2019, Explanatory interactive machine learning (CAIPI): counterexamples.

The reviewed rows once more, with their label and with other values where the inputs must not matter. Fresh values in
every step take the place of a larger data set.
"""

from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.errors import RecipeError
from corrigible.explanations.marks.replacement import class_mean, noise, other_rows, replaced
from corrigible.explanations.marks.shares import mean_over_marked
from corrigible.explanations.scores import target_log_prob
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
    """Mean label loss of the marked rows with their marked inputs replaced, in nats.

    Args:
        fill: other rows' values; normal noise of each input's mean and standard deviation (one-hot categories: other
            rows'); or the mean of the row's class (the commonest value of a category), which still tells the class
            wherever the marked inputs do so on most of its rows.
        copies: counterexamples of each row, with draws of their own; one is enough for ``class_mean``.
        donors: what there is to take, (row, *input); None for what the other rows of the batch have to lend.
        class_means: (num_classes, *input); None for the means in the batch.

    Raises:
        RecipeError: fewer than 1 copy.
        DataError: donors or class means of other inputs.
    """
    assert batch.irrelevant is not None
    if copies < 1:
        raise RecipeError(f"copies is {copies}; expected at least 1")
    losses = forward.x.new_zeros(())
    for copy in range(copies):
        values = _values(forward, fill, f"counterexamples/{copy}", donors, class_means)
        changed = replace(batch, x=replaced(batch, forward.x.detach(), values))
        seen = Forward(forward.model, changed, seed=forward.seed, track_input=False).unobserved()
        losses = losses - mean_over_marked(target_log_prob(seen.logits, batch.y), batch.irrelevant)
    return losses / copies


def _values(
    forward: Forward, fill: str, name: str, donors: Tensor | None, class_means: Tensor | None
) -> Float[Tensor, " batch *input"]:
    with torch.no_grad():
        if fill == "class_mean":
            return class_mean(forward, class_means)
        return (noise if fill == "noise" else other_rows)(forward, donors, name)
