"""Calders, Kamiran and Pechenizkiy 2009, Building classifiers with independency constraints: predictions that do not
depend on the sensitive attribute, whatever the label is. Prices have the same mean in all groups.
"""

from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.group_gaps import PARITY, SHARPNESS, SHRINKAGE, GroupSettings, mean_square, parity_gaps
from corrigible.models.forward import Forward
from corrigible.types import Batch


@declared(rows="labelled", looks_at="nothing", gap=PARITY)
def demographic_parity(
    forward: Forward,
    batch: Batch,
    *,
    sensitive: str | None = None,
    sharpness: float = SHARPNESS,
    shrinkage: float = SHRINKAGE,
) -> Float[Tensor, ""]:
    """Mean square, over groups, of the difference between the group's mean prediction and that of all rows.

    For classes it is the rate of (soft) decisions for class 1, or for each of several classes; for amounts and counts
    the mean prediction, relative to that of all rows, per unit of exposure. Of an attribute that is a number, such as
    an age, it is the square of what predictions change by with its standard deviation.

    Args:
        sensitive: the attribute, a tensor in ``batch.extra``; None for ``batch.group``.
        sharpness: of soft decisions: the logits are multiplied by it. Decisions themselves have no gradient.
        shrinkage: the number of rows at which a group's difference counts half.

    Raises:
        UnsupportedModelError: rows without the attribute, or a task of other labels.
    """
    how = GroupSettings(sensitive, sharpness, shrinkage)
    return mean_square(parity_gaps(forward.task, forward.outputs, batch, how))
