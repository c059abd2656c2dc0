"""Which columns the prediction may only rise or fall with, as scikit-learn's users say it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype

from corrigible.data.table_encoder import TableEncoder
from corrigible.errors import RecipeError


def directed_columns(given: Any, frame: pd.DataFrame, encoder: TableEncoder) -> dict[str, int]:
    """The direction of each column that has one, 1 or -1, by its name.

    Columns that the encoder dropped, because they hold one value only, are left out: predictions do not depend on them.

    Args:
        given: by name, in a mapping or a series of pandas, or one number for each column of the frame: 1, -1, or 0 for
            none; None for none at all.

    Raises:
        RecipeError: an unknown column, another direction, or another number of them.
    """
    if given is None:
        return {}
    names = list(frame.columns)
    if isinstance(given, pd.Series) and not is_integer_dtype(given.index.dtype):
        given = given.to_dict()
    by_name = dict(given) if isinstance(given, Mapping) else dict(zip(names, _of_each(given, names), strict=True))
    for name, direction in by_name.items():
        if name not in names:
            raise RecipeError(f"monotonic_cst names {name!r}; there are {', '.join(map(repr, names))}")
        if isinstance(direction, bool | np.bool_ | np.ndarray) or direction not in (1, -1, 0):
            raise RecipeError(f"monotonic_cst of {name!r} is {direction!r}; expected 1, -1 or 0")
    encoded = set(encoder.columns.feature)
    return {name: int(direction) for name, direction in by_name.items() if direction and name in encoded}


def _of_each(given: Any, names: list[str]) -> list[Any]:
    values = np.asarray(given, dtype=object)
    if values.shape != (len(names),):
        raise RecipeError(
            f"monotonic_cst is {given!r}; expected {len(names)} numbers, one per column, or a dictionary by name"
        )
    return list(values)
