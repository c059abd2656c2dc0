"""Grids: the values that a feature is set to, and where the data lie among them."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.data.original_units import Units
from corrigible.data.table import MISSING
from corrigible.errors import DataError, unknown
from corrigible.explanations.counts import require_count
from corrigible.explanations.features import plain_columns
from corrigible.printable import plural
from corrigible.types import Columns


@dataclass(frozen=True, eq=False)
class Grid:
    """The values that a feature is set to."""

    feature: str
    points: Float[Tensor, " point"]
    """In original units; the number of each category from 0."""
    categories: tuple[str, ...]
    """The names of the categories, one per point; empty for numbers."""
    observed: Float[Tensor, " row"]
    """The feature's value in each row, in the units of the points; NaN for a category without a column."""
    share: Float[Tensor, " point"]
    """Share of the rows that are nearest to each point."""
    places: Int[Tensor, " column"]
    """The columns of the feature."""
    values: Float[Tensor, " point column"]
    """The encoded values that these columns are set to at each point."""

    def put(self, x: Float[Tensor, " batch column"], point: Int[Tensor, " batch"]) -> Float[Tensor, " batch column"]:
        """The rows with this feature set to one point per row."""
        return x.index_copy(1, self.places.to(x.device), self.values[point].to(x))


def named_columns_of(x: Tensor, columns: Columns | None, units: Units | None) -> Columns:
    """The columns, or plain columns if none are given.

    Raises:
        DataError: x is not a table, or the units are those of another table.
    """
    if x.ndim != 2:
        raise DataError(f"x has shape {tuple(x.shape)}; expected (row, column): a table")
    if units is not None and not len(units.shift) == len(units.scale) == x.shape[1]:
        raise DataError(f"units are those of {plural(len(units.scale), 'column')}; expected {x.shape[1]}")
    return plain_columns(x.shape[1]) if columns is None else columns


def grid_of(
    x: Float[Tensor, " row column"], feature: str | int, columns: Columns, units: Units, *, points: int
) -> Grid:
    """A grid with one point per category; for numbers, at quantiles of the data, each value once.

    Args:
        feature: its name, the name of one column, or the column's position.

    Raises:
        DataError: no such feature, or one with several columns of numbers.
        RecipeError: fewer than 2 points.
    """
    require_count("points", points, least=2)
    places = _places(feature, columns)
    name = feature if isinstance(feature, str) else columns.names[feature]
    if len(places) > 1 and all(columns.one_hot[place] for place in places):
        return _of_categories(x, name, places, columns)
    numbers = [place for place in places if columns.names[place] != f"{name}={MISSING}"]
    if len(numbers) != 1:
        raise DataError(f"feature {name!r} has columns {[columns.names[place] for place in places]}; name one of them")
    # The indicator of a missing value is set to 0, because a number is set.
    ordered = torch.tensor(numbers + [place for place in places if place not in numbers])
    column = x[:, numbers[0]].double().cpu().contiguous()
    levels = torch.from_numpy(np.unique(np.quantile(column.numpy(), np.linspace(0, 1, points), method="nearest")))
    nearest = torch.bucketize(column, (levels[1:] + levels[:-1]) / 2)
    values = torch.zeros(len(levels), len(places), dtype=torch.float64)
    values[:, 0] = levels
    shift, scale = units.shift[numbers[0]], units.scale[numbers[0]]
    return Grid(
        name, shift + scale * levels, (), shift + scale * column, _shares(nearest, len(levels)), ordered, values
    )


def _of_categories(x: Tensor, name: str, places: list[int], columns: Columns) -> Grid:
    names = tuple(columns.names[place].removeprefix(f"{name}=") for place in places)
    marks = x[:, places].double().cpu()
    category, is_known = marks.argmax(dim=1), marks.amax(dim=1) > 0
    observed = torch.where(is_known, category.double(), torch.nan)
    share = _shares(category[is_known], len(places)) * is_known.double().mean()
    every = torch.arange(len(places), dtype=torch.float64)
    values = torch.eye(len(places), dtype=torch.float64)
    return Grid(name, every, names, observed, share, torch.tensor(places), values)


def _places(feature: str | int, columns: Columns) -> list[int]:
    if isinstance(feature, int):
        if not 0 <= feature < len(columns.names):
            raise DataError(f"feature is {feature}; expected a column from 0 to {len(columns.names) - 1}, or a name")
        return [feature]
    of_feature = [place for place, name in enumerate(columns.feature) if name == feature]
    found = of_feature or [place for place, name in enumerate(columns.names) if name == feature]
    if not found:
        raise DataError(unknown("feature", feature, columns.features))
    return found


def _shares(nearest: Int[Tensor, " row"], num_points: int) -> Float[Tensor, " point"]:
    return torch.bincount(nearest, minlength=num_points).double() / max(len(nearest), 1)
