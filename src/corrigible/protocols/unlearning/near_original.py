"""A penalty that keeps predictions of kept rows near those of the model as it was."""

from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.models.forward import Forward
from corrigible.protocols.unlearning.divergence import divergence
from corrigible.types import Batch

ORIGINAL = "unlearning_original"
"""The tensor beside the rows that holds the outputs of the model as it was."""


@declared(rows="labelled", looks_at="nothing")
def near_original(forward: Forward, batch: Batch) -> Float[Tensor, ""]:
    """The mean `divergence` of the predictions from ``extra["unlearning_original"]``."""
    return divergence(forward.task, forward.outputs, batch.extra[ORIGINAL].to(forward.outputs)).mean()
