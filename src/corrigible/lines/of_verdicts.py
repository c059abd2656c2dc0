"""A verdict in a few short lines: what was measured on how many rows, and what each percentage is of."""

from collections.abc import Iterator

from rich.markup import escape

from corrigible.lines.printing import COLOURS, wrapped
from corrigible.protocols.corrections.verdict import Verdict

MEANS = {
    "corrected": "what was marked hardly matters any more.",
    "partly corrected": "what was marked matters less than before, and still matters.",
    "no reliance found": "the model hardly used what was marked, so there was little to correct.",
}


def verdict_lines(found: Verdict) -> Iterator[str]:
    """The outcome in its colour, then its figures."""
    colour = COLOURS.get(found.outcome, "red")
    outcome = f"{found.outcome[0].upper()}{found.outcome[1:]}"
    means = MEANS.get(found.outcome, f"{found.reasons}.")
    first, *others = wrapped(f"{outcome}: {means}")
    end = len("  ") + len(outcome)
    yield f"[bold {colour}]{escape(first[:end])}[/bold {colour}]{escape(first[end:])}"
    yield from map(escape, others)
    for text in _figures(found):
        yield from map(escape, wrapped(text))


def _figures(found: Verdict) -> Iterator[str]:
    moved = found.moved_as.format(f"{100 * found.reliance_after:.1f}")
    tuned = found.accuracy_fine_tuned
    beside = "" if tuned is None else f"; trained on without feedback, {_percent(tuned)}"
    now, before = _percent(found.accuracy_after), _percent(found.accuracy_before)
    found_now, found_before = _percent(found.as_found_after), _percent(found.as_found_before)
    yield f"On {found.num_rows:,} {found.where} rows, with what was marked exchanged between rows:"
    yield f"- that moves {moved}; before, {100 * found.reliance_before:.1f}"
    if found.worst_class_accuracy is None:
        yield f"- the {found.measured} is {now}; before, {before}{beside}"
        yield f"On these rows as they are, it is {found_now}; before, {found_before}."
        return
    yield f"- {now} are predicted right; before, {before}{beside}"
    yield f"- least often right is class {found.worst_class}: {_percent(found.worst_class_accuracy)} of its rows"
    yield f"On these rows as they are, {found_now} are predicted right; before, {found_before}."
    yield "(Each class counts the same.)"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
