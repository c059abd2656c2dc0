"""Convert the numbers of an encoded table back to their original units."""

from dataclasses import dataclass

from corrigible.data.table_encoder import TableEncoder
from corrigible.data.table_features import Numeric


@dataclass(frozen=True)
class Units:
    """How each column was encoded: as (value − ``shift``) / ``scale``."""

    shift: tuple[float, ...]
    scale: tuple[float, ...]

    def original(self, column: int, encoded: float) -> float:
        """The value in the column's original unit."""
        return self.shift[column] + self.scale[column] * encoded


def unchanged(num_columns: int) -> Units:
    """The units of a table that was not standardised."""
    return Units((0.0,) * num_columns, (1.0,) * num_columns)


def units_of(encoder: TableEncoder) -> Units:
    """The units of a table's columns; one-hot columns and indicators of missing values are not scaled."""
    features = {feature.name: feature for feature in encoder.features}
    shift, scale = [], []
    for name, feature in zip(encoder.columns.names, encoder.columns.feature, strict=True):
        made_of = features[feature]
        if isinstance(made_of, Numeric) and name == feature:
            shift.append(made_of.mean)
            scale.append(made_of.sd)
        else:
            shift.append(0.0)
            scale.append(1.0)
    return Units(tuple(shift), tuple(scale))
