"""A verdict in a few short lines, the outcome in its colour."""

from collections.abc import Iterator

from rich.markup import escape

from corrigible.lines.printing import COLOURS, wrapped
from corrigible.protocols.corrections.verdict import Verdict


def verdict_lines(found: Verdict) -> Iterator[str]:
    """The lines of the verdict, wrapped; what to try next is said with the commands that come next."""
    colour = COLOURS.get(found.outcome, "red")
    first, *others = wrapped(found.lines[0])
    end = len("  ") + len(found.outcome)
    yield f"[bold {colour}]{escape(first[:end])}[/bold {colour}]{escape(first[end:])}"
    yield from map(escape, others)
    for text in found.lines[1:]:
        yield from map(escape, wrapped(text))
