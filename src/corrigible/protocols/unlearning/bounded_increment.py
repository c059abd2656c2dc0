"""A penalty that raises the loss of forgotten rows up to a bound, and there stops.

Raising the error of rows without a bound, by gradient ascent, has no minimum: steps grow, and what they tear down is
shared with the rows that are kept. A model that never saw a row errs on it by a certain amount, not without limit.
"""

from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.models.forward import Forward
from corrigible.types import Batch

BOUND = "unlearning_bound"
"""The tensor beside the rows that holds the loss up to which each row's may rise."""


@declared(rows="reviewed", looks_at="nothing")
def bounded_increment(forward: Forward, batch: Batch) -> Float[Tensor, ""]:
    """How far the task's loss of each row is below its bound, on average: the mean of max(0, bound - loss).

    At or above its bound a row has no gradient. The bounds are ``extra["unlearning_bound"]``, in the unit of the loss.
    """
    losses = forward.task.loss(forward.outputs, batch.y, batch.extra)
    return (batch.extra[BOUND].to(losses) - losses).clamp_min(0.0).mean()
