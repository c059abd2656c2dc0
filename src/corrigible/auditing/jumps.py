"""Jumps: how far a prediction moves when one input moves a little; and breaches of directions that it should keep."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype

from corrigible.auditing.columns import Column, Numbers, column_of
from corrigible.auditing.reliance import distance, shown
from corrigible.auditing.stored import in_words, stored
from corrigible.auditing.subject import Subject
from corrigible.errors import DataError, RecipeError, unknown

MOST_ROWS = 500
"""Drawn rows on which inputs are moved."""
STEP = 0.01
"""Of the range that holds all but the least and the largest hundredth of the rows; of whole numbers a whole step."""
FEW_VALUES = 50
"""A number of at most as many values moves to the neighbouring one."""
MOST_OF_GAPS = 3
"""A step to a neighbouring value may be as many times the usual one; a code such as 999 is no neighbour."""
NUM_PLACES = 33
"""Values, evenly spread over the rows, at which a direction is checked; of few values all are tried."""
ROUNDING = 1e-6
"""A fall that is smaller, relative to the largest prediction, is rounding."""


@dataclass(frozen=True)
class Jump:
    """The largest move of a prediction by a small move of one input."""

    column: str
    largest: float
    """Of amounts relative to the prediction before, of classes in probability."""
    mean: float
    row: int
    before: str
    after: str
    predicted: float
    predicted_after: float
    is_small: bool = True
    """False of a category, whose neighbour is the level with the next mean prediction, and of a number of two values:
    no step of these need be small."""


@dataclass(frozen=True)
class Breach:
    """How often predictions break the direction that was stated of a column."""

    column: str
    direction: int
    """1 if they must not fall as the column grows, -1 if they must not rise."""
    share: float
    """Of the rows, which break it somewhere between the values that are tried."""
    largest: float
    """The largest fall, or rise, from one value to a larger one, in the unit of the predictions."""
    row: int
    before: str
    after: str
    rows: int = 0
    """That were tried."""
    values: int = 0
    """That were tried on each row; of fewer than two nothing is measured."""
    overall: float = 0.0
    """Share of the rows whose prediction for the largest value breaks the direction from that for the least."""

    @property
    def num_comparisons(self) -> int:
        """Of each value with each larger one, on all rows."""
        return self.rows * self.values * (self.values - 1) // 2


def jumps(columns: Mapping[str, Column], subject: Subject, frame: pd.DataFrame, seed: int) -> list[Jump]:
    """The largest jump of each column with at least two values, the largest first."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(frame))[:MOST_ROWS])
    some = frame.iloc[rows]
    scores, everywhere = subject.checked(some), subject.checked(frame)
    floor = float(np.abs(everywhere).mean())
    found = []
    for name, column in columns.items():
        steps = _steps(column, frame[name], everywhere, rows)
        tried = [_jump(name, some, values, subject, scores, rows, floor) for values in steps]
        if tried:
            largest = max(tried, key=lambda jump: jump.largest)
            held = np.unique(column.values[np.isfinite(column.values)])
            found.append(replace(largest, is_small=column.is_number and len(held) > 2))
    return sorted(found, key=lambda jump: -jump.largest)


def breaches(directions: Mapping[str, int], subject: Subject, frame: pd.DataFrame, seed: int) -> list[Breach]:
    """How far predictions break each stated direction; all other inputs stay.

    Raises:
        RecipeError: an unknown column, a direction other than 1 and -1, or a model of more than two classes.
        DataError: a column that is no number.
    """
    if directions and len(subject.classes) > 2:
        raise RecipeError(f"directions are of one prediction; the model tells {len(subject.classes)} classes apart")
    return [_breach(name, direction, subject, frame, seed) for name, direction in directions.items()]


def _breach(name: str, direction: int, subject: Subject, frame: pd.DataFrame, seed: int) -> Breach:
    if name not in frame.columns:
        raise RecipeError(f"directions: {unknown('column', name, frame.columns)}")
    column = column_of(frame[name], name)
    if direction not in (1, -1) or not column.is_number:
        if not column.is_number:
            raise DataError(f"directions: column {name!r} holds categories; expected numbers")
        raise RecipeError(f"directions: {name!r} is {direction!r}; expected 1 (never falls) or -1 (never rises)")
    known = column.values[np.isfinite(column.values)]
    places = _places(known)
    if len(places) < 2:
        return Breach(name, direction, np.nan, 0.0, 0, "", "", values=len(places))
    rows = np.sort(np.random.default_rng(seed).permutation(len(frame))[:MOST_ROWS])
    some, found = frame.iloc[rows], []
    for value in places:
        given = some.copy()
        given[name] = stored(np.full(len(some), value), some[name])
        found.append(subject.checked(given)[:, 0])
    predicted = np.column_stack(found)
    # The largest fall from any value to any later one.
    fall = np.maximum.accumulate(direction * predicted, axis=1) - direction * predicted
    worst = fall.max(axis=1)
    row = int(worst.argmax())
    end = int(fall[row].argmax())
    start = int((direction * predicted[row, : end + 1]).argmax())
    rounding = ROUNDING * max(float(np.abs(predicted).max()), 1e-12)
    is_broken = worst > rounding
    largest = float(worst[row]) if is_broken.any() else 0.0
    before, after = map(in_words, stored(places[[start, end]], frame[name].iloc[:2]))
    share, place = float(is_broken.mean()), int(rows[row])
    overall = float((direction * (predicted[:, 0] - predicted[:, -1]) > rounding).mean())
    return Breach(name, direction, share, largest, place, before, after, len(some), len(places), overall)


def _places(known: Numbers) -> Numbers:
    """The values that are tried: all if they are few, or such as are evenly spread over the rows."""
    values = np.unique(known)
    if len(values) <= FEW_VALUES:
        return values
    return np.unique(np.quantile(known, np.linspace(0, 1, NUM_PLACES), method="nearest"))


def _jump(
    name: str, some: pd.DataFrame, values: Any, subject: Subject, scores: Numbers, rows: Any, floor: float
) -> Jump:
    given = some.copy()
    given[name] = values
    after = subject.checked(given)
    moved = distance(scores, after)
    if not subject.classes:
        # A prediction near 0 would make any change of it look large.
        moved = moved / np.maximum(np.abs(scores[:, 0]), floor / 10)
    row = int(moved.argmax())
    before, now = (in_words(of[name].iloc[row]) for of in (some, given))
    predicted = shown(scores, after, row)
    return Jump(name, float(moved[row]), float(moved.mean()), int(rows[row]), before, now, *predicted)


def _steps(column: Column, held: "pd.Series[Any]", scores: Numbers, rows: Any) -> Iterator[Any]:
    """The values of the rows after one step up, and after one down."""
    if not column.is_number:
        yield from _neighbours(held, scores, rows)
        return
    known = np.unique(column.values[np.isfinite(column.values)])
    if len(known) < 2:
        return
    values, span = column.values[rows], _span(column.values)
    for direction in (1, -1):
        if len(known) <= FEW_VALUES:
            new = _next(values, known, direction)
        else:
            step = max(1.0, round(STEP * span)) if is_integer_dtype(held.dtype) else STEP * span
            new = np.clip(values + direction * step, known[0], known[-1])
        yield stored(np.where(np.isnan(values), np.nan, new), held.iloc[rows])


def _span(values: Numbers) -> float:
    """The range without the least and the largest hundredth, so that an outlier makes no step larger."""
    known = values[np.isfinite(values)]
    ranges = (np.ptp(np.quantile(of, (0.01, 0.99))) for of in (known, np.unique(known)))
    return float(next(found for found in ranges if found > 0))


def _next(values: Numbers, known: Numbers, direction: int) -> Numbers:
    """The neighbouring value of each; the value itself where the neighbour is much farther off than neighbours are."""
    place = np.searchsorted(known, np.nan_to_num(values, nan=known[0]))
    new = known[np.clip(place + direction, 0, len(known) - 1)]
    usual = np.quantile(np.diff(known), 0.5, method="lower")
    found: Numbers = np.where(np.abs(new - values) <= MOST_OF_GAPS * usual, new, values)
    return found


def _neighbours(held: "pd.Series[Any]", scores: Numbers, rows: Any) -> Iterator[Any]:
    """The next level of each row, and the one before, in the order of the levels' mean predictions."""
    codes, levels = pd.factorize(held)
    if len(levels) < 2:
        return
    weight = np.maximum(np.bincount(codes[codes >= 0], minlength=len(levels)), 1)
    means = np.bincount(codes[codes >= 0], scores[codes >= 0, 0], len(levels)) / weight
    order = means.argsort()
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    for direction in (1, -1):
        new = order[np.clip(place[np.maximum(codes, 0)] + direction, 0, len(levels) - 1)][rows]
        values = pd.Series(pd.Index(levels)[new].astype(object), index=held.index[rows])
        values[codes[rows] < 0] = None
        yield _typed(values, held)


def _typed(values: "pd.Series[Any]", held: "pd.Series[Any]") -> Any:
    if isinstance(held.dtype, pd.CategoricalDtype):
        return pd.Series(pd.Categorical(values, dtype=held.dtype), index=values.index)
    return values.astype(held.dtype) if held.dtype.kind == "b" else values
