"""Sensitive attributes of rows: each by itself, and the groups that they form together.

Several attributes form groups by their intersections, as in fairlearn. A column of more than 20 different numbers, such
as an age, is no group: it stands beside the rows as a number.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from corrigible.data.cells import Cells, Words
from corrigible.data.spelling import as_words, places_among
from corrigible.data.table_columns import require_whole
from corrigible.data.table_features import names_with_missing
from corrigible.errors import DataError

MOST_VALUES = 20
"""A column of more different numbers is taken as an amount."""
TAKEN = ("exposure", "teacher", "query")
"""Names of what else stands beside rows."""


class Attribute(NamedTuple):
    """A sensitive attribute, as the training rows have it."""

    name: str
    values: tuple[str, ...]
    """The names of its values; none for a number."""


def attribute_of(name: str, cells: Cells) -> Attribute:
    """The attribute that these cells of training rows hold.

    Raises:
        DataError: a name that is taken, numbers with decimals of 20 different values or fewer, or of a number none in
            some row.
    """
    if name in TAKEN:
        raise DataError(f"a sensitive attribute is called {name!r}, as is what else stands beside rows; rename it")
    if not isinstance(cells, Words) and len(np.unique(cells[~np.isnan(cells)])) > MOST_VALUES:
        _require_numbers(name, cells)
        return Attribute(name, ())
    require_whole(name, cells)
    return Attribute(name, names_with_missing(name, as_words(cells)))


def attribute_values(attribute: Attribute, cells: Cells) -> Tensor:
    """Of each row the place of its value, int64, or the number, float32.

    Raises:
        DataError: a value that training lacks, or a row without a number.
    """
    if attribute.values:
        return torch.from_numpy(places_among(attribute.name, cells, attribute.values).astype(np.int64))
    if isinstance(cells, Words):
        raise DataError(f"{attribute.name} holds text; expected numbers, as in training")
    _require_numbers(attribute.name, cells)
    return torch.tensor(cells, dtype=torch.float32)


def intersections(
    attributes: Sequence[Attribute], values: Mapping[str, Tensor]
) -> tuple[Int[Tensor, " row"] | None, tuple[str, ...]]:
    """The group of each row, one for each combination of values, and the names of all groups; numbers form none."""
    forming = [attribute for attribute in attributes if attribute.values]
    if not forming:
        return None, ()
    group = torch.zeros_like(values[forming[0].name])
    for attribute in forming:
        group = group * len(attribute.values) + values[attribute.name]
    combined = itertools.product(*(attribute.values for attribute in forming))
    return group, tuple(", ".join(names) for names in combined)


def _require_numbers(name: str, cells: Cells) -> None:
    bad = ~np.isfinite(np.asarray(cells))
    if bad.any():
        raise DataError(
            f"{name} of row {int(bad.argmax())} is missing or infinite; expected a number in each row: fill it, or "
            "give the attribute in bands, as text"
        )
