"""Convert the numbers of an encoded table back to their original units."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from corrigible.data.table_encoder import TableEncoder
from corrigible.types import Columns


@dataclass(frozen=True)
class Units:
    """How each column was encoded: as (value − ``shift``) / ``scale``."""

    shift: tuple[float, ...]
    scale: tuple[float, ...]

    def original(self, column: int, encoded: float) -> float:
        """The value in the column's original unit."""
        return self.shift[column] + self.scale[column] * encoded

    def originals(self, column: int, encoded: Float[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
        """The values in the column's original unit, rounded to what numbers of 32 bits tell: 0 is 0 again."""
        shift, scale = self.shift[column], self.scale[column]
        if (shift, scale) == (0.0, 1.0):
            return encoded
        decimals = 5 - math.floor(math.log10(max(abs(shift), abs(scale), 1e-300)))
        found: Float[np.ndarray, " row"] = np.round(shift + scale * encoded, decimals) + 0.0
        return found


def unchanged(num_columns: int) -> Units:
    """The units of a table that was not standardised."""
    return Units((0.0,) * num_columns, (1.0,) * num_columns)


def units_in(columns: Columns) -> Units:
    """The units that the columns know of; those of a table that was not standardised if they know none."""
    return Units(columns.shift, columns.scale) if columns.scale else unchanged(len(columns.names))


def units_of(encoder: TableEncoder) -> Units:
    """The units of a table's columns; one-hot columns and indicators of missing values are not scaled."""
    return units_in(encoder.columns)
