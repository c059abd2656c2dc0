"""How far predictions move when an attribute is flipped along a graph of causes: directly and through descendants."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from corrigible.auditing.causes import CausalModel, causal_model
from corrigible.auditing.columns import Numbers
from corrigible.auditing.no_effect import NoEffect
from corrigible.auditing.outcomes import LEAST_OF_CLASS, as_classes
from corrigible.auditing.reliance import Moved, distance, mean_with_interval, shown
from corrigible.auditing.subject import Subject
from corrigible.data.causes import Causes, descendants
from corrigible.errors import DataError
from corrigible.printable import plural

MOST_ROWS = 3000
"""Drawn rows that are flipped: what chance brings is learned as often as it is drawn."""
NUM_DRAWS = 19
"""Of rows in which the attribute has no effect; one flip without effect in 20 moves more than all."""


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
    through_by_chance: float = 0.0
    """The mean move by what it causes, if the attribute caused nothing: the largest of several draws."""
    left_out: tuple[str, ...] = ()
    """Groups of fewer rows than can be learned from."""


def flip(
    attribute: str, causes: Causes, subject: Subject, frame: pd.DataFrame, *, inputs: Sequence[str], seed: int
) -> Flip:
    """How far predictions move; each row gets the value of another row that has another one.

    Rows without a value are left out, and those of groups of fewer than ten.

    Args:
        frame: the columns that the model sees, and others that the graph names.
        inputs: the columns that the model sees.

    Raises:
        DataError: fewer than two values of the attribute that enough rows hold, or a column without values among those
            that it causes.
    """
    frame = frame.reset_index(drop=True)
    rows = _rows_to_flip(frame[attribute], attribute, seed)
    frame = frame.iloc[rows.places].reset_index(drop=True)
    _require_values(frame, descendants(causes, attribute), attribute)
    others = _others(frame[attribute], seed)
    model = causal_model(frame, causes, attribute, seed, rows.rarest)
    scores = subject.checked(frame[list(inputs)])
    alone = frame.copy()
    alone[attribute] = others
    whole = model.flipped(frame, others)
    through = whole.copy()
    through[attribute] = frame[attribute]
    found = (_moved(part, frame, subject, scores, inputs, attribute) for part in (whole, alone, through))
    with_all, by_itself, by_caused = (replace(one, row=int(rows.places[one.row])) for one in found)
    by_chance = _by_chance(model, frame, subject, inputs, rows.rarest, seed) if by_caused.largest > 0 else 0.0
    return Flip(attribute, model.order, with_all, by_itself, by_caused, by_chance, rows.left_out)


class _Rows(NamedTuple):
    """The rows that are flipped."""

    places: NDArray[np.int64]
    rarest: int | None
    """Rows of the smallest group; None of numbers."""
    left_out: tuple[str, ...]


def _rows_to_flip(held: "pd.Series[Any]", attribute: str, seed: int) -> _Rows:
    """Drawn rows that have a value, of groups that enough rows have."""
    groups = as_classes(held, attribute)
    known = np.flatnonzero(np.isfinite(groups.values))
    known = np.sort(np.random.default_rng(seed).permutation(known)[:MOST_ROWS])
    if groups.is_number:
        return _Rows(known, None, ())
    place = groups.values[known].astype(np.int64)
    counts = np.bincount(place, minlength=len(groups.levels))
    enough = counts >= LEAST_OF_CLASS
    if enough.sum() < 2:
        held_by = ", ".join(f"{plural(int(c), 'row')} {n}" for n, c in zip(groups.levels, counts, strict=True))
        raise DataError(f"{attribute} is {held_by}; a flip needs two groups of at least {LEAST_OF_CLASS} rows")
    left_out = tuple(name for name, is_enough in zip(groups.levels, enough, strict=True) if not is_enough)
    return _Rows(known[enough[place]], int(counts[enough].min()), left_out)


def _require_values(frame: pd.DataFrame, caused: Sequence[str], attribute: str) -> None:
    for name in caused:
        if frame[name].notna().sum() < LEAST_OF_CLASS:
            raise DataError(
                f"{attribute} causes {name}, which has a value in {plural(int(frame[name].notna().sum()), 'row')}; "
                f"expected at least {LEAST_OF_CLASS}"
            )


def _by_chance(
    model: CausalModel, frame: pd.DataFrame, subject: Subject, inputs: Sequence[str], rarest: int | None, seed: int
) -> float:
    """How far the same flip moves predictions on average through what the attribute causes, if it caused nothing."""
    no_effect, rng = NoEffect(model, seed), np.random.default_rng(seed)
    largest = 0.0
    for draw in range(NUM_DRAWS):
        drawn = no_effect.drawn(frame, rng)
        learned = causal_model(drawn, model.causes, model.attribute, seed + draw, rarest)
        through = learned.flipped(drawn, _others(drawn[model.attribute], seed))
        through[model.attribute] = drawn[model.attribute]
        before, after = (subject.checked(rows[list(inputs)]) for rows in (drawn, through))
        largest = max(largest, float(distance(before, after).mean()))
    return largest


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
