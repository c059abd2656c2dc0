"""From pairs of an encoded table's columns to pairs of its features."""

from jaxtyping import Float
from torch import Tensor

from corrigible.explanations.features import check_columns, feature_index
from corrigible.types import Columns


def by_feature_pairs(
    interactions: Float[Tensor, " batch column column"], columns: Columns
) -> Float[Tensor, " batch feature feature"]:
    """Interactions summed over the columns of both features, signs kept, in the order of ``columns.features``.

    The sum over all pairs stays what it was, so what was complete stays complete.

    Raises:
        DataError: the interactions have another number of columns than the table.
    """
    check_columns(interactions[:, 0], columns)
    feature = feature_index(columns).to(interactions.device)
    num_features = len(columns.features)
    sums = interactions.new_zeros(len(interactions), num_features, interactions.shape[2])
    sums = sums.index_add(1, feature, interactions)
    return sums.new_zeros(len(sums), num_features, num_features).index_add(2, feature, sums)
