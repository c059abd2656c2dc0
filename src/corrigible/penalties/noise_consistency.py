"""Keep predictions constant when the inputs that must not matter change (Heo, Piratla, Wicker and Weller 2023, Use
perturbations when learning from explanations: the average over perturbations).
"""

from dataclasses import replace
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.explanations.marks.replacement import noise, other_rows, replaced
from corrigible.explanations.marks.shares import mean_over_marked
from corrigible.models.forward import Forward
from corrigible.models.modes import evaluating
from corrigible.types import Batch


@declared(looks_at="own passes")
def noise_consistency(
    forward: Forward,
    batch: Batch,
    *,
    fill: Literal["other_rows", "noise"] = "other_rows",
    donors: Tensor | None = None,
) -> Float[Tensor, ""]:
    """Mean squared change of the log-probabilities when the marked inputs hold other values, in nats squared.

    It uses no input gradient, so it costs two passes over the reviewed rows and one ordinary backward pass. Both passes
    carry gradients: if the unchanged one were fixed, the value would not fall along its gradient. Dropout is off in
    both, since otherwise they would differ by more than the marked inputs.

    Args:
        fill: other rows' values, or normal noise with each input's mean and standard deviation (for one-hot categories
            other rows' values).
        donors: rows to take values from, (row, *input); None for what the other rows of the batch lend.

    Raises:
        DataError: donors of other inputs.
    """
    assert batch.irrelevant is not None
    values = (noise if fill == "noise" else other_rows)(forward, donors, "noise_consistency")
    x = forward.x.detach()
    with evaluating(forward.model):
        before, after = (
            Forward(forward.model, replace(batch, x=rows), seed=forward.seed, track_input=False).unobserved().log_probs
            for rows in (x, replaced(batch, x, values))
        )
    return mean_over_marked((before - after).square().mean(dim=1), batch.irrelevant)
