"""Kleinberg, Mullainathan and Raghavan 2017, Inherent trade-offs in the fair determination of risk scores: calibration
within groups, here of means. For prices it is balance by group: what a group pays is what it costs.
"""

from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.group_gaps import CALIBRATION, SHARPNESS, SHRINKAGE, GroupSettings, calibration_gaps, mean_square
from corrigible.models.forward import Forward
from corrigible.types import Batch


@declared(rows="labelled", looks_at="nothing", gap=CALIBRATION)
def group_calibration(
    forward: Forward, batch: Batch, *, sensitive: str | None = None, shrinkage: float = SHRINKAGE
) -> Float[Tensor, ""]:
    """Mean square, over groups, of the group's mean prediction less its mean label.

    For classes it is the mean probability of class 1, or of each of several classes, less its share; for amounts and
    counts the mean prediction less the mean label, relative to the mean label of all rows, per unit of exposure. Of an
    attribute that is a number, it is what this difference changes by with its standard deviation, and that of all rows.

    Args:
        sensitive: the attribute, a tensor in ``batch.extra``; None for ``batch.group``.
        shrinkage: the number of rows at which a group's own difference counts half, and that of all rows half.

    Raises:
        UnsupportedModelError: rows without the attribute, or a task of other labels.
    """
    how = GroupSettings(sensitive, SHARPNESS, shrinkage)
    return mean_square(calibration_gaps(forward.task, forward.outputs, batch, how))
