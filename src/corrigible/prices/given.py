"""What actuaries give beside rows: exposure, prices, and the group of each row; checked, or refused in one line."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from corrigible.data.cells import cells_of
from corrigible.data.frames import as_frame
from corrigible.data.spelling import as_words, places_among
from corrigible.data.table_features import names_with_missing
from corrigible.errors import DataError


class Groups(NamedTuple):
    """The group of each row."""

    place: NDArray[np.int64]
    """Its number among the keys."""
    keys: tuple[tuple[str, ...], ...]
    """The value of each attribute; two groups may differ and read alike."""

    @property
    def names(self) -> tuple[str, ...]:
        """Each group in words."""
        return tuple(map(in_words, self.keys))


def in_words(key: tuple[str, ...]) -> str:
    """The values that a group has together."""
    return ", ".join(key)


def groups_of(given: Any, num_rows: int) -> Groups:
    """The group of each row; empty cells are a group of their own, "missing".

    Args:
        given: one value of each row, or a frame of several attributes, whose combinations are the groups.

    Raises:
        DataError: another number of rows, or values that are neither numbers nor text.
    """
    if getattr(given, "ndim", 1) == 2 or hasattr(given, "columns"):
        frame = as_frame(given) if hasattr(given, "columns") else pd.DataFrame(np.asarray(_as_array(given)))
        parts = [groups_of(frame[name], num_rows) for name in frame.columns]
        if not parts:
            raise DataError("groups has no columns; expected one attribute or more")
        held, place = np.unique(np.stack([part.place for part in parts], axis=1), axis=0, return_inverse=True)
        keys = tuple(tuple(p.keys[k][0] for p, k in zip(parts, row, strict=True)) for row in held)
        return Groups(place.reshape(-1).astype(np.int64), keys)
    found = np.asarray(_as_array(given))
    if found.shape != (num_rows,):
        raise DataError(f"groups has shape {found.shape}; expected one group for each of the {num_rows:,} rows")
    cells = as_words(cells_of(pd.Series(found, name="groups").infer_objects()))
    names = names_with_missing("groups", cells)
    return Groups(places_among("groups", cells, names).astype(np.int64), tuple((name,) for name in names))


def numbers_of(
    name: str, given: Any, num_rows: int | None = None, *, least: float = -np.inf, is_open: bool = False
) -> NDArray[np.float64]:
    """One finite number of each row.

    Args:
        num_rows: None for as many as are given, of at least one.
        least: the smallest number allowed; with ``is_open``, just above it.

    Raises:
        DataError: another number of rows, or a number that is not finite or too small.
    """
    try:
        found = np.array(_as_array(given), dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise DataError(f"{name} holds what is no number ({error}); expected one number for each row") from error
    if found.ndim != 1 or not len(found) or (num_rows is not None and len(found) != num_rows):
        rows = "row" if num_rows is None else f"of the {num_rows:,} rows"
        raise DataError(f"{name} has shape {found.shape}; expected one number for each {rows}")
    for bad, expected in (
        (~np.isfinite(found), "finite numbers: drop rows without one"),
        (
            (found <= least) if is_open else (found < least),
            f"numbers {'above' if is_open else 'of at least'} {least:g}",
        ),
    ):
        if bool(bad.any()):
            raise DataError(f"{name} of row {int(bad.argmax())} is {found[bad.argmax()]:g}; expected {expected}")
    return found


def _as_array(given: Any) -> Any:
    return given.numpy(force=True) if isinstance(given, Tensor) else given


def exposure_of(given: Any, num_rows: int) -> NDArray[np.float64]:
    """The exposure of each row, above 0; 1 if none is given."""
    return np.ones(num_rows) if given is None else numbers_of("exposure", given, num_rows, least=0.0, is_open=True)
