"""Agarwal, Dudik and Wu 2019, Fair regression: quantitative definitions and reduction-based algorithms: no group's mean
loss is above a bound.
"""

from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.group_gaps import LOSS, SHARPNESS, SHRINKAGE, GroupSettings, loss_gaps, mean_square
from corrigible.models.forward import Forward
from corrigible.types import Batch


@declared(rows="labelled", looks_at="nothing", gap=LOSS)
def bounded_group_loss(
    forward: Forward,
    batch: Batch,
    *,
    sensitive: str | None = None,
    bound: float | None = None,
    shrinkage: float = SHRINKAGE,
) -> Float[Tensor, ""]:
    """Mean square, over groups, of the excess of the group's mean loss over the bound.

    Args:
        sensitive: the attribute, a tensor in ``batch.extra``; None for ``batch.group``.
        bound: in the unit of the task's loss, for classes nats; None for the mean loss of all rows.
        shrinkage: the number of rows at which a group's own loss counts half, and that of all rows half.

    Raises:
        UnsupportedModelError: rows without the attribute, or an attribute that is a number, not a group.
    """
    how = GroupSettings(sensitive, SHARPNESS, shrinkage, bound)
    return mean_square(loss_gaps(forward.task, forward.outputs, batch, how))
