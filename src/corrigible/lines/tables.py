"""Tables of 80 columns: what was measured as rows, models or methods as columns."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

from rich.markup import escape

from corrigible.comparison import LOWER_IS_BETTER, NEITHER_IS_BETTER, spoken, titled, unit_of
from corrigible.figures import number
from corrigible.lines.printing import COLOURS, WIDTH
from corrigible.workflow.records import Measured, MethodCompared

FIRST, EACH = 20, 20
"""The width of the names of rows, and of each cell."""
CELLS_BESIDE = (WIDTH - FIRST) // EACH
MARKS = {True: "[green]▲[/green]", False: "[red]▼[/red]", None: " "}
LEGEND = "  [dim]▲ better, ▼ worse than before the correction by more than chance[/dim]"
COMPARED = ("swap_score", "swapped_accuracy", "accuracy", "worst_class_accuracy", "attribution_overlap", "flip_rate")
BELOW_NAME = 2
"""How far the second line of a name is indented."""


class _Cell(NamedTuple):
    text: str
    markup: str
    """The text with its colour."""


def models_table(measured: Sequence[Measured]) -> Iterator[str]:
    """Models as columns and metrics as rows; what is about single classes or groups is left to the report."""
    whole = [found for found in measured if not found.part]
    models, metrics = (list(dict.fromkeys(getattr(found, key) for found in whole)) for key in ("model", "metric"))
    by_place = {(found.metric, found.model): found for found in whole}
    for some in _parts(models):
        yield from _header(some)
        for metric in metrics:
            cells = [_measured(by_place.get((metric, model))) for model in some]
            unit = next(found.unit for found in whole if found.metric == metric)
            yield from _row(_title(metric, unit), *zip(*cells, strict=True))
    if any(found.is_better is not None for found in whole):
        yield LEGEND
    notes = dict.fromkeys((found.metric, found.note) for found in whole if found.value is None)
    yield from (f"  – {spoken(metric)}: {escape(note)}" for metric, note in notes)


def methods_table(compared: Sequence[MethodCompared]) -> Iterator[str]:
    """Methods as columns, the best first; those that could not be applied are lines below."""
    applied = [found for found in compared if not found.note]
    names = list(dict.fromkeys(name for found in applied for name in _values(found)))
    for some in _parts(applied):
        yield from _header([spoken(found.method) for found in some])
        outcomes = [_Cell(found.outcome, _coloured(found.outcome)) for found in some]
        yield from _row("Outcome", outcomes)
        for name in names:
            values = [_values(found).get(name) for found in some]
            yield from _row(_title(name, unit_of(name, applied[0].unit)), _ranked(values, _best(name, applied)))
        costs = ["" if found.step_cost is None else f"{found.step_cost:.2f} ×" for found in some]
        if any(costs):
            yield from _row("Time of a step", [_plain(cost) for cost in costs])
    if applied:
        yield "  [dim]▲ best of the row; sorted by swap score, failed corrections last[/dim]"
    for found in compared:
        if found.note:
            note = textwrap.wrap(f"{spoken(found.method)}: {found.note}", WIDTH - 4, subsequent_indent="  ")
            yield from (f"  {escape(line)}" for line in note)


def _title(metric: str, unit: str) -> str:
    """The metric as the report writes it at the beginning of a row."""
    words = titled(metric, unit)
    return words[:1].upper() + words[1:]


def _parts(columns: Sequence[object]) -> Iterator[list]:  # type: ignore[type-arg]
    for start in range(0, len(columns), CELLS_BESIDE):
        yield list(columns[start : start + CELLS_BESIDE])


def _header(names: Sequence[str]) -> Iterator[str]:
    wrapped = [textwrap.wrap(name, EACH - 2) or [""] for name in names]
    for place in range(max(map(len, wrapped))):
        cells = [lines[place] if place < len(lines) else "" for lines in wrapped]
        yield escape(f"  {'':{FIRST - 2}}" + "".join(f"{cell:<{EACH}}" for cell in cells)).rstrip()


def _row(name: str, *lines: Sequence[_Cell]) -> Iterator[str]:
    """The name of a row, in several lines if it is long, beside one or more lines of cells."""
    names = textwrap.wrap(name, FIRST - 4, subsequent_indent=" " * BELOW_NAME) or [""]
    for words, cells in zip_longest(names, lines, fillvalue=()):
        values = "".join(cell.markup + " " * max(0, EACH - len(cell.text)) for cell in cells or ())
        if words or values.strip():
            yield (escape(f"  {words or '':{FIRST - 2}}") + values).rstrip()


def _measured(found: Measured | None) -> tuple[_Cell, _Cell]:
    """The value with its mark, and the interval."""
    if found is None or found.value is None:
        return _plain("–"), _plain("")
    value = number(found.value)
    marked = _Cell(f"{value}  ", f"[bold]{value}[/bold] {MARKS[found.is_better]}")
    if found.low is None or found.high is None:
        return marked, _plain("")
    interval = f"{_short(found.low)} to {_short(found.high)}"
    return marked, _Cell(interval, f"[dim]{interval}[/dim]")


def _values(found: MethodCompared) -> Mapping[str, float | None]:
    named = {name: getattr(found, name) for name in COMPARED} | dict(found.measured)
    return {name: value for name, value in named.items() if value is not None}


def _best(name: str, compared: Sequence[MethodCompared]) -> float | None:
    """The best value of a metric over all methods; None where they are equal or no value is better than another."""
    found = [_values(method).get(name) for method in compared]
    known = [value for value in found if value is not None]
    if name in NEITHER_IS_BETTER or len(set(known)) < 2:
        return None
    return min(known) if name in LOWER_IS_BETTER else max(known)


def _ranked(values: Sequence[float | None], best: float | None) -> list[_Cell]:
    """The values of a row, the best of them marked."""
    cells = []
    for value in values:
        text = "" if value is None else number(value)
        is_best = value is not None and value == best
        cells.append(_Cell(f"{text} ▲", f"{escape(text)} [green]▲[/green]") if is_best else _plain(text))
    return cells


def _plain(text: str) -> _Cell:
    return _Cell(text, escape(text))


def _coloured(outcome: str) -> str:
    return f"[{COLOURS.get(outcome, 'red')}]{escape(outcome)}[/]" if outcome else ""


def _short(value: float) -> str:
    """A number whose interval fits into a column."""
    return f"{value:.3f}".replace("-", "−") if abs(value) < 1000 else number(value)
