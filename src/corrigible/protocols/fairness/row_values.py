"""One value of each row, however it is given."""

from collections.abc import Hashable
from typing import Any

import pandas as pd
from torch import Tensor

from corrigible.errors import DataError


def values_of_rows(name: str, given: Any) -> list[Any]:
    """The values of an array, a column of a frame, a tensor or a list, as Python's own.

    Raises:
        DataError: no such collection, or a row without a value, or with several.
    """
    if isinstance(given, Tensor):
        given = given.detach().cpu()
    try:
        found = list(given.tolist() if hasattr(given, "tolist") else given)
    except TypeError:
        found = None
    if found is None or isinstance(given, str | bytes | dict | pd.DataFrame):
        raise DataError(f"{name} is of type {type(given).__name__}; expected an array of one value for each row")
    found = [value.item() if isinstance(value, Tensor) and value.ndim == 0 else value for value in found]
    for row, value in enumerate(found):
        if isinstance(value, tuple | Tensor) or not isinstance(value, Hashable):
            raise DataError(f"{name} of row {row} is {value!r}; expected one value for each row")
        if bool(pd.isna(value)):  # type: ignore[call-overload]
            raise DataError(f"{name} of row {row} is missing; fill it, or leave the row out")
    return found
