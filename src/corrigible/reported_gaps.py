"""Differences between groups that a correction made larger: closing one can open another, and the reader is told."""

from collections.abc import Iterator, Sequence

from corrigible.comparison import GAPS, spoken, unit_of
from corrigible.figures import number
from corrigible.types import Measurement

NOTABLE = 0.01
"""Without an interval, the rise of a difference that is told: this, or this share of what it was if that is more."""


def opened_gaps(before: Sequence[Measurement], changes: Sequence[Measurement]) -> frozenset[str]:
    """The differences between groups that rose by more than chance: the paired interval of the change is above 0."""
    was = {found.metric: found.value or 0.0 for found in before if not found.part}
    return frozenset(
        change.metric
        for change in changes
        if change.metric in GAPS and change.value is not None and _is_risen(change, was.get(change.metric, 0.0))
    )


def told_of_gaps(
    before: Sequence[Measurement], after: Sequence[Measurement], changes: Sequence[Measurement], unit: str = ""
) -> Iterator[str]:
    """A sentence for each difference between groups that rose, with those that fell in the first one.

    Args:
        before, after: the measurements of the two models.
        changes: the paired changes between them.
        unit: of the labels.
    """
    opened = opened_gaps(before, changes)
    fell = [
        change.metric for change in changes if change.metric in GAPS and change.high is not None and change.high < 0
    ]
    was, now = ({found.metric: found for found in measured if not found.part} for measured in (before, after))
    for place, metric in enumerate(metric for metric in GAPS if metric in opened):
        change = next(change for change in changes if change.metric == metric)
        ends = f", {_rise(change)}" if change.low is not None else ""
        told = f"the {_name(metric)} from {_move(metric, was, now, unit)}{ends}"
        closed = [f"the {_name(one)} (from {_move(one, was, now, unit)})" for one in fell]
        opening = f"Closing {_listed(closed)} opened " if closed else "The correction opened "
        yield (opening if not place else "It also opened ") + told + "."


def _is_risen(change: Measurement, before: float) -> bool:
    if change.low is not None:
        return change.low > 0
    return (change.value or 0.0) > max(NOTABLE, NOTABLE * abs(before))


def _rise(change: Measurement) -> str:
    assert change.low is not None
    assert change.high is not None
    return f"a rise of {number(change.low)} to {number(change.high)} (95\u00a0% interval)"


def _move(metric: str, was: dict[str, Measurement], now: dict[str, Measurement], unit: str) -> str:
    words = f" {of}" if (of := unit_of(metric, unit)) else ""
    return " to ".join(number(found[metric].value or 0.0) + words for found in (was, now))


def _name(metric: str) -> str:
    return spoken(metric)


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
