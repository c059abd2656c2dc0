"""How far predictions move when an attribute is flipped along a graph of causes: directly and through descendants."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from corrigible.auditing.causes import Causes, causal_model
from corrigible.auditing.columns import Numbers
from corrigible.auditing.reliance import Moved, distance, mean_with_interval, shown
from corrigible.auditing.subject import Subject
from corrigible.errors import DataError


@dataclass(frozen=True)
class Flip:
    """One attribute, flipped on every row."""

    attribute: str
    caused: tuple[str, ...]
    """What it causes, directly or by way of others."""
    whole: Moved
    """With everything that the attribute causes."""
    direct: Moved
    """The attribute alone; 0 where the model does not see it."""
    through: Moved
    """What it causes alone, the attribute as it was."""


def flip(
    attribute: str, causes: Causes, subject: Subject, frame: pd.DataFrame, inputs: Sequence[str], seed: int
) -> Flip:
    """How far predictions move; each row gets the value of another row that has another one.

    Rows without a value are left out.

    Args:
        frame: the columns that the model sees, and others that the graph names.
        inputs: the columns that the model sees.

    Raises:
        DataError: rows that all hold the same value of the attribute.
    """
    known = np.flatnonzero(frame[attribute].notna().to_numpy())
    frame = frame.iloc[known].reset_index(drop=True)
    others = _others(frame[attribute], seed)
    model = causal_model(frame, causes, attribute, seed)
    scores = subject.checked(frame[list(inputs)])
    alone = frame.copy()
    alone[attribute] = others
    whole = model.flipped(frame, others)
    through = whole.copy()
    through[attribute] = frame[attribute]
    found = [_moved(part, frame, subject, scores, inputs, attribute) for part in (whole, alone, through)]
    return Flip(attribute, model.order, *(replace(moved, row=int(known[moved.row])) for moved in found))


def _others(held: "pd.Series[Any]", seed: int) -> "pd.Series[Any]":
    """For each row the value of a drawn row that holds another one."""
    codes, values = pd.factorize(held)
    if len(values) < 2:
        raise DataError(f"the attribute {held.name!r} holds one value in these rows; expected two, to flip it")
    rng = np.random.default_rng(seed)
    donors = rng.integers(len(codes), size=len(codes))
    while (same := codes[donors] == codes).any():
        donors[same] = rng.integers(len(codes), size=int(same.sum()))
    return pd.Series(held.array[donors], index=held.index, name=held.name)


def _moved(
    given: pd.DataFrame, frame: pd.DataFrame, subject: Subject, scores: Numbers, inputs: Sequence[str], attribute: str
) -> Moved:
    after = subject.checked(given[list(inputs)])
    moved = distance(scores, after)
    row = int(moved.argmax())
    changed = [name for name in frame.columns if not _same(frame[name].iloc[row], given[name].iloc[row])]
    held, now = (", ".join(f"{name} {_word(rows[name].iloc[row])}" for name in changed) for rows in (frame, given))
    numbers = mean_with_interval(moved)
    return Moved(attribute, *numbers, float(moved[row]), row, held, now, *shown(scores, after, row), len(moved))


def _same(one: Any, other: Any) -> bool:
    return bool(pd.isna(other)) if pd.isna(one) else not pd.isna(other) and bool(one == other)


def _word(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)
