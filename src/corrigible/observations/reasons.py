"""Why a metric cannot be measured, and which rows it leaves out, in words."""

import inspect
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from corrigible.errors import DataError
from corrigible.metrics.unmeasured import OF_THE_POSITIVE_CLASS, UNMEASURED, Unmeasured
from corrigible.observations.observed import OBSERVATIONS, Observations
from corrigible.printable import plural

MOST_NAMED = 5
"""Most groups or classes that a note names."""


def missing(observations: Observations, needs: Iterable[str]) -> str:
    """What the task, the data or the feedback lacks for these observations; empty if nothing."""
    absent = [name for name in needs if name not in observations.everywhere and name not in observations.on_marked]
    return " and ".join(dict.fromkeys(_source(name, observations) for name in absent))


def _source(name: str, observations: Observations) -> str:
    known = OBSERVATIONS[name]
    if known.of_tasks and (known.about == "rows" or observations.task.logits is None):
        return known.of_tasks
    if known.about == "relevant" or (known.about == "irrelevant" and not len(observations.marked)):
        return f"feedback that marks {known.about} inputs"
    return name


def left_out(observations: Observations, rows: Mapping[str, Tensor], needs: Iterable[str]) -> tuple[int, str]:
    """How many rows are counted, and a note about those that are left out."""
    count = len(rows["y"])
    notes = []
    if count < len(observations.everywhere["y"]):
        notes.append(f"left out, without irrelevant inputs: {len(observations.everywhere['y']) - count} rows")
    for name, known in OBSERVATIONS.items():
        if known.undefined and name in needs and (empty := _num_undefined(rows[name])):
            notes.append(f"left out, without {known.undefined}: {plural(empty, 'row')}")
            count -= empty
    return count, "; ".join(notes)


def _num_undefined(values: Tensor) -> int:
    """The number of rows with a NaN."""
    return int(values.isnan().view(len(values), -1).any(dim=1).sum())


def unmeasured(observations: Observations, metric: str) -> str:
    """What the listed metric of this name cannot measure on these rows, in words; empty if nothing."""
    asked = UNMEASURED.get(metric)
    if asked is None or missing(observations, needs := inspect.signature(asked).parameters.keys()):
        return ""
    return "; ".join(_in_words(found, observations) for found in asked(**observations.of(needs)))


def positive_class(observations: Observations, metric: str) -> str:
    """Which of two classes the listed metric of this name is about, in words; empty for other metrics."""
    if metric not in OF_THE_POSITIVE_CLASS or len(observations.class_names) != 2:
        return ""
    return f"the positive class is {observations.class_names[1]}"


def _in_words(found: Unmeasured, observations: Observations) -> str:
    names = {"group": observations.group_names, "class": observations.class_names}.get(found.kind, ())
    values = [str(names[value]) if 0 <= value < len(names) else str(value) for value in found.values]
    more = f" and {len(values) - MOST_NAMED} more" if len(values) > MOST_NAMED else ""
    return f"{found.why}: {found.kind} {', '.join(values[:MOST_NAMED])}{more}" if found.values else found.why


def require_same_rows(before: Observations, after: Observations) -> None:
    """Raises DataError for observations of different rows, or of different names."""
    fixed = [
        {name: torch.empty(0) for name in (*observations.everywhere, *observations.on_marked)}
        | {
            name: observations.everywhere[name]
            for name in ("y", "group", "exposure", "query")
            if name in observations.everywhere
        }
        | {"marked": observations.marked}
        for observations in (before, after)
    ]
    first, second = fixed
    if first.keys() != second.keys() or not all(torch.equal(first[name], second[name]) for name in first):
        raise DataError(
            "before and after are about different rows or hold different observations; "
            "gather both on the same data, with the same feedback and names"
        )
