"""A penalty that draws predictions of forgotten rows to those of their nearest kept neighbours."""

from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.models.forward import Forward
from corrigible.protocols.unlearning.divergence import divergence
from corrigible.types import Batch

NEIGHBOURS = "unlearning_neighbours"
"""The tensor beside the rows that holds the outputs that each row's neighbours have on average."""


@declared(rows="reviewed", looks_at="nothing")
def like_neighbours(forward: Forward, batch: Batch) -> Float[Tensor, ""]:
    """The mean `divergence` of the predictions from ``extra["unlearning_neighbours"]``."""
    return divergence(forward.task, forward.outputs, batch.extra[NEIGHBOURS].to(forward.outputs)).mean()
