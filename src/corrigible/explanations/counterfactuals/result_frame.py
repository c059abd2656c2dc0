"""Results as a frame: the features as people keep them, and beside them what is known of each change."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from corrigible.data.class_order import MISSING
from corrigible.explanations.counterfactuals.schema import Schema

BOOLEANS = {"False", "True"}


def result_frame(
    schema: Schema,
    values: NDArray[np.float64],
    index: "pd.Index[Any] | None",
    *,
    first: Mapping[str, Any],
    last: Mapping[str, Any],
) -> pd.DataFrame:
    """A line for each result: ``first``, the features in original units, then ``last``.

    Whole numbers are integers, and categories of False and True booleans; with empty cells they are of pandas' types
    that hold such. A column of ``first`` and ``last`` that has the name of a feature is named "… (result)".

    Args:
        values: see `Schema`.
        index: of the lines; None for numbers from 0.
    """
    held = {feature.name: _typed(schema, values, place) for place, feature in enumerate(schema.features)}
    beside = [{name_beside(schema, name): column for name, column in part.items()} for part in (first, last)]
    return pd.DataFrame({**beside[0], **held, **beside[1]}).set_axis(
        pd.RangeIndex(len(values)) if index is None else index
    )


def name_beside(schema: Schema, name: str) -> str:
    """The name of a column beside the features, which none of them has."""
    return f"{name} (result)" if name in schema.names else name


def _typed(schema: Schema, values: NDArray[np.float64], place: int) -> Any:
    """The cells of one feature, of the type that they have where people keep them."""
    feature, empty = schema.features[place], np.isnan(values[:, place])
    cells = schema.cells(values, place)
    if feature.kind == "integer":
        found = pd.array(np.where(empty, 0, cells).astype(np.int64), dtype="Int64")
    elif feature.is_category and set(feature.levels) - {MISSING} <= BOOLEANS:
        found = pd.array(cells == "True", dtype="boolean")
    else:
        return cells
    found[empty] = pd.NA
    return found if empty.any() else found.to_numpy()
