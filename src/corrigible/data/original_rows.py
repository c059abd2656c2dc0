"""Encoded rows of a table as a frame of their features, as people wrote them, and such a frame encoded again."""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from corrigible.data.class_order import MISSING
from corrigible.data.original_units import units_in
from corrigible.types import Columns


def frame_of_rows(x: Float[Tensor, " row column"], columns: Columns) -> pd.DataFrame:
    """A column for each feature: numbers in their original units, categories by name, empty cells as None or NaN."""
    encoded = x.detach().cpu().double().numpy()
    return pd.DataFrame({name: _decoded(name, encoded, columns) for name in columns.features})


def rows_of_frame(frame: pd.DataFrame, columns: Columns) -> Float[Tensor, " row column"]:
    """The encoded rows, in float32.

    A category that the columns do not know has 0 in all of its columns. An empty number is the training mean, and
    marked as missing where the columns have a place for that.
    """
    x = np.zeros((len(frame), len(columns.names)), dtype=np.float32)
    units = units_in(columns)
    for name in columns.features:
        places = _places(name, columns)
        if columns.one_hot[places[0]]:
            held = [MISSING if value is None or value != value else str(value) for value in frame[name]]
            for place in places:
                level = columns.names[place].removeprefix(f"{name}=")
                x[:, place] = [value == level for value in held]
            continue
        numbers = pd.to_numeric(frame[name]).to_numpy(np.float64, na_value=np.nan)
        empty = np.isnan(numbers)
        for place in places:
            shift, scale = units.shift[place], units.scale[place]
            is_mark = columns.names[place] == f"{name}={MISSING}"
            x[:, place] = empty if is_mark else np.where(empty, 0.0, (numbers - shift) / scale)
    return torch.from_numpy(x)


def _decoded(name: str, encoded: NDArray[np.float64], columns: Columns) -> "pd.Series[float] | pd.Series[str]":
    places = _places(name, columns)
    if columns.one_hot[places[0]]:
        levels = [columns.names[place].removeprefix(f"{name}=") for place in places]
        held, is_known = encoded[:, places].argmax(axis=1), encoded[:, places].max(axis=1) > 0
        words = [levels[level] if known else None for level, known in zip(held, is_known, strict=True)]
        return pd.Series([None if word == MISSING else word for word in words], dtype=object)
    marks = [place for place in places if columns.names[place] == f"{name}={MISSING}"]
    values = [place for place in places if place not in marks]
    numbers = units_in(columns).originals(values[0], encoded[:, values[0]]) if values else np.zeros(len(encoded))
    for place in marks:
        numbers = np.where(encoded[:, place] > 0, np.nan, numbers)
    return pd.Series(numbers)


def _places(name: str, columns: Columns) -> list[int]:
    return [place for place, feature in enumerate(columns.feature) if feature == name]
