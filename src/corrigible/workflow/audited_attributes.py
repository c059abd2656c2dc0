"""The sensitive attributes by which the model of a study is audited."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from corrigible.data.dataset import TensorData
from corrigible.errors import RecipeError

JOINT = ", "
"""Between the values of several attributes, in the name of a group."""


def attributes_of(
    data: TensorData, frame: pd.DataFrame, groups: Sequence[str], group: str | Sequence[str]
) -> pd.DataFrame | None:
    """The attributes of the recipe, each by itself, and columns that are named beside them; None without any.

    Args:
        groups: of the command line.
        group: of the recipe, one column or several.

    Raises:
        RecipeError: an unknown column.
    """
    found: dict[str, Any] = {}
    if isinstance(group, str):
        if data.group is not None:
            found[group] = _names(data)
    else:
        found = {name: frame[name].tolist() for name in group if name in frame.columns}
        found |= _beside(data, [name for name in group if name in data.extra], set(found))
    for other in groups:
        if other in found:
            continue
        if other not in frame.columns:
            raise RecipeError(f"--group: there is no column {other!r}; there are {', '.join(frame.columns)}")
        found[other] = frame[other].tolist()
    return pd.DataFrame(found) if found else None


def _beside(data: TensorData, names: Sequence[str], known: set[str]) -> dict[str, Any]:
    """Attributes that are no inputs: numbers as they are, others by what the groups' names say of each."""
    found: dict[str, Any] = {}
    forming = [name for name in names if not data.extra[name].is_floating_point()]
    parts = [name.split(JOINT) for name in _names(data)] if forming else []
    for name in names:
        if name in known:
            continue
        values = data.extra[name].tolist()
        if name in forming and all(len(part) == len(forming) for part in parts):
            values = [part[forming.index(name)] for part in parts]
        found[name] = values
    return found


def _names(data: TensorData) -> list[str]:
    """The name of each row's group."""
    assert data.group is not None
    names = data.group_names
    return [names[place] if 0 <= place < len(names) else str(place) for place in data.group.tolist()]
