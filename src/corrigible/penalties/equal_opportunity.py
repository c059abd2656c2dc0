"""Hardt, Price and Srebro 2016, Equality of opportunity in supervised learning: among rows of the positive class, the
rate of positive decisions is the same in all groups.
"""

from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.group_gaps import OPPORTUNITY, SHARPNESS, SHRINKAGE, GroupSettings, mean_square, opportunity_gaps
from corrigible.models.forward import Forward
from corrigible.types import Batch


@declared(rows="labelled", looks_at="nothing", gap=OPPORTUNITY)
def equal_opportunity(
    forward: Forward,
    batch: Batch,
    *,
    sensitive: str | None = None,
    sharpness: float = SHARPNESS,
    shrinkage: float = SHRINKAGE,
) -> Float[Tensor, ""]:
    """Mean square, over groups, of the difference between the group's true positive rate and that of all rows.

    The positive class is class 1 of two; of several classes it is each in turn. Settings as of `demographic_parity`.

    Raises:
        UnsupportedModelError: rows without the attribute, or labels that are not classes.
    """
    how = GroupSettings(sensitive, sharpness, shrinkage)
    return mean_square(opportunity_gaps(forward.task, forward.outputs, batch, how))
