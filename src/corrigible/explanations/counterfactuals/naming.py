"""Classes by their names, wherever names are known: to ask for one, and to say what the answer is."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from corrigible.data.table_encoder import TableEncoder
from corrigible.errors import DataError


def names_of_classes(given: Sequence[str], schema: Any, num_classes: int) -> tuple[str, ...]:
    """The names that were given, or those that an encoder knows if it has one for each class; empty if none are known.

    Raises:
        DataError: another number of names than classes.
    """
    if given and len(given) != num_classes:
        raise DataError(f"class_names holds {len(given)} names; the model has {num_classes} classes")
    known = schema.class_names if not given and isinstance(schema, TableEncoder) else given
    return tuple(known) if len(known) == num_classes else ()


def numbered(target: Any, names: Sequence[str]) -> Any:
    """The target with the number of each class in place of its name; anything else as it is.

    Raises:
        DataError: a name that is none of these.
    """
    if isinstance(target, str):
        return _place(target, names)
    if isinstance(target, Sequence | np.ndarray) and any(isinstance(one, str) for one in target):
        return [_place(one, names) if isinstance(one, str) else one for one in target]
    return target


def _place(name: str, names: Sequence[str]) -> int:
    if name not in names:
        known = ", ".join(names) or "the numbers of classes, or names beside class_names=…"
        raise DataError(f"target is {name!r}; expected one of {known}")
    return list(names).index(name)
