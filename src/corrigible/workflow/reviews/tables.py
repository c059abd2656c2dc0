"""The features of a table's row as a page shows them, and what is predicted when some are changed."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from torch import Tensor

from corrigible.data.class_order import MISSING
from corrigible.data.dataset import TensorData
from corrigible.data.original_units import units_in
from corrigible.data.protocol import columns_of
from corrigible.errors import FeedbackError, unknown
from corrigible.explanations.features import separate_columns
from corrigible.strict_json import described
from corrigible.types import Columns
from corrigible.workflow.reviews.subject import Subject

LOW, HIGH = 0.05, 0.95
NOISE = 1e-6
"""What numbers of 32 bits cannot tell from 0, as a share of how far the values lie apart."""
YES, NO = "yes", "no"
MOST_INPUT = 1e12
"""Largest size of an input, in the unit of the model's inputs, for which it is said what the model predicts."""


class Usual(NamedTuple):
    """What is usual of a number in the training rows."""

    values: Tensor
    """Known values of a sample, in order."""
    is_yes_no: bool


def table_of(subject: Subject, rows: TensorData, values: Tensor) -> list[dict[str, Any]]:
    """Each feature of one row: its value, its share of the absolute attribution, signed, and what is usual."""
    columns = columns_in(subject, rows)
    sums = dict.fromkeys(columns.features, 0.0)
    for feature, value in zip(columns.feature, values.flatten().tolist(), strict=True):
        sums[feature] += value
    total = sum(map(abs, sums.values())) or 1.0
    x = rows.x[0].flatten()
    return [_feature(subject, columns, name, x, sums[name] / total) for name in columns.features]


def what_if(subject: Subject, split: str, row: int, values: Mapping[str, Any], method: str) -> dict[str, Any]:
    """What would be predicted of the row with these values of features, and why.

    Raises:
        FeedbackError: rows that are no table, an unknown feature or category, or no number where one is expected.
    """
    if subject.kind != "table":
        raise FeedbackError("only a table's values can be changed to try what would be predicted")
    rows = subject.rows(split, [row])
    columns = columns_in(subject, rows)
    x = rows.x.clone()
    flat = x[0].view(-1)
    for name, value in values.items():
        if name not in columns.features:
            raise FeedbackError(unknown("feature", str(name), columns.features))
        _write(flat, columns, name, value, subject)
    changed = replace(rows, x=x)
    said = subject.said(split, changed, [row])[0]
    attribution = subject.attribution(changed, subject.known_method(method))[0]
    table = table_of(subject, changed, attribution)
    return {"prediction": said["prediction"], "certainty": said["certainty"], "table": table}


def columns_in(subject: Subject, rows: TensorData) -> Columns:
    """The columns; numbered ones for rows without names."""
    if rows.columns is not None:
        return rows.columns
    return separate_columns([f"column {place}" for place in range(math.prod(subject.shape))])


def _feature(subject: Subject, columns: Columns, name: str, x: Tensor, share: float) -> dict[str, Any]:
    places = [place for place, feature in enumerate(columns.feature) if feature == name]
    found: dict[str, Any] = {"feature": name, "title": subject.in_words(name), "unit": None, "share": share}
    if any(columns.one_hot[place] for place in places):
        levels = [columns.names[place].removeprefix(f"{name}=") for place in places]
        chosen = [level for level, place in zip(levels, places, strict=True) if float(x[place]) > 0.5]
        shown = {level: subject.labels.get(f"{name}={level}", subject.labels.get(level, level)) for level in levels}
        value = shown[chosen[0]] if chosen else "unknown"
        return {**found, "value": value, "kind": "category", "levels": list(shown.values()), "population": None}
    number = _number(columns, name, places, x)
    usual = _usual(subject, columns, places[0])
    if usual.is_yes_no:
        value = "unknown" if number is None else YES if number else NO
        return {**found, "value": value, "kind": "yes_no", "levels": [NO, YES], "population": None}
    span = float(usual.values[-1] - usual.values[0])
    return {**found, "value": _told(number, span), "kind": "number", **_population(usual.values, number, span)}


def _number(columns: Columns, name: str, places: list[int], x: Tensor) -> float | None:
    """The number in its own unit; None for a missing one."""
    for place in places:
        if columns.names[place] == f"{name}={MISSING}" and float(x[place]) > 0.5:
            return None
    return units_in(columns).original(places[0], float(x[places[0]]))


def _usual(subject: Subject, columns: Columns, place: int) -> Usual:
    known = subject.kept.get(("usual", place))
    if known is None:
        units = units_in(columns)
        values = (units.shift[place] + units.scale[place] * subject.sample[:, place].double()).sort().values
        rounded = values.round(decimals=4)
        known = Usual(values, bool(((rounded == 0) | (rounded == 1)).all()))
        subject.kept["usual", place] = known
    found: Usual = known
    return found


def _population(values: Tensor, number: float | None, span: float) -> dict[str, Any]:
    low, median, high = (float(values.quantile(q)) for q in (LOW, 0.5, HIGH))
    at = None if number is None else float((values <= number + 1e-6 * (1 + abs(number))).double().mean())
    told = {"low": _told(low, span), "median": _told(median, span), "high": _told(high, span), "at": at}
    return {"population": told, "min": _rounded(float(values[0]), span), "max": _rounded(float(values[-1]), span)}


def _rounded(value: float, span: float) -> float:
    """The value as far as numbers of 32 bits tell it, beside others that lie this far apart."""
    largest = max(span, abs(value))
    return float(f"{value:.6g}") if abs(value) > NOISE * largest else 0.0


def _told(number: float | None, span: float) -> str:
    return "unknown" if number is None else f"{_rounded(number, span):,.6g}".replace(",", "\u202f").replace("-", "−")


def _write(x: Tensor, columns: Columns, name: str, value: Any, subject: Subject) -> None:
    """Write the value into the columns of the feature, as the table's encoder does."""
    places = [place for place, feature in enumerate(columns.feature) if feature == name]
    if any(columns.one_hot[place] for place in places):
        levels = {columns.names[place].removeprefix(f"{name}="): place for place in places}
        spoken = {subject.labels.get(f"{name}={level}", subject.labels.get(level, level)): level for level in levels}
        chosen = levels.get(spoken.get(str(value), str(value)))
        if chosen is None:
            raise FeedbackError(unknown(f"value of {name}", str(value), spoken))
        for place in places:
            x[place] = float(place == chosen)
        return
    units = units_in(columns)
    for place in places:
        is_indicator = columns.names[place] == f"{name}={MISSING}"
        x[place] = 0.0 if is_indicator else _scaled(name, value, units.shift[place], units.scale[place])


def _scaled(name: str, value: Any, shift: Any, scale: Any) -> float:
    """The value in the unit of the model's inputs.

    Raises:
        FeedbackError: no number, or one that such inputs cannot hold.
    """
    found = float((_as_number(name, value) - shift) / scale)
    if not abs(found) <= MOST_INPUT:
        raise FeedbackError(f"{name} is {described(value)}; expected a number that is nearer to usual ones")
    return found


def _as_number(name: str, value: Any) -> float:
    if value in (YES, NO):
        return float(value == YES)
    try:
        number = (
            float(str(value).replace("−", "-").replace("\u202f", "").strip())
            if not isinstance(value, bool)
            else float(value)
        )
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise FeedbackError(f"{name} is {described(value)}; expected a number")
    return number


def titles_of(subject: Subject) -> dict[str, str]:
    """The words for each feature."""
    columns = columns_of(subject.first)
    return {} if columns is None else {name: subject.in_words(name) for name in columns.features}
