"""Hardt, Price and Srebro 2016, Equality of opportunity in supervised learning: among rows of each label, predictions
do not depend on the sensitive attribute.
"""

from jaxtyping import Float
from torch import Tensor

from corrigible.declarations import declared
from corrigible.group_gaps import ODDS, SHARPNESS, SHRINKAGE, GroupSettings, mean_square, odds_gaps
from corrigible.models.forward import Forward
from corrigible.types import Batch


@declared(rows="labelled", looks_at="nothing", gap=ODDS)
def equalized_odds(
    forward: Forward,
    batch: Batch,
    *,
    sensitive: str | None = None,
    sharpness: float = SHARPNESS,
    shrinkage: float = SHRINKAGE,
) -> Float[Tensor, ""]:
    """Mean square, over labels and groups, of the group's mean prediction less that of all rows of the label.

    For two classes these are the true and the false positive rate. Amounts are divided into quarters of the labels.
    Settings as of `demographic_parity`.

    Raises:
        UnsupportedModelError: rows without the attribute, or a task of other labels.
    """
    how = GroupSettings(sensitive, sharpness, shrinkage)
    return mean_square(odds_gaps(forward.task, forward.outputs, batch, how))
