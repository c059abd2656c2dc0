"""Records on a terminal: lines, tables and a progress bar, or JSON lines."""

import logging
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape

from corrigible.errors import CorrigibleError
from corrigible.lines.as_json import as_line, fields_of
from corrigible.named_functions import described, own_place
from corrigible.printable import one_line, printable
from corrigible.progress import shown, watched

if TYPE_CHECKING:
    from corrigible.workflow.records import Record
else:
    Record = Any  # Asking for help loads no PyTorch.


def has_problems(record: Record) -> bool:
    """Whether the record lists problems that `verify` found."""
    return bool(getattr(record, "problems", ()))


def is_failure(record: Record) -> bool:
    """Whether the record is the verdict of a correction that failed."""
    return bool(getattr(record, "outcome", "") == "failed")


def show(
    verb: Callable[[], Iterator[Record]],
    as_json: bool,
    *,
    is_problem: Callable[[Record], bool] = has_problems,
    is_work: bool = True,
) -> None:
    """Run the verb and print its records; exit with code 1 and one line on an error that the user can fix.

    What to do next is printed last. If a record is a problem, the verb runs to its end, and the exit code is 1 too.

    Args:
        is_work: whether to say how far it is; False for what waits for people.
    """
    seen = _Seen(is_problem)
    try:
        with _words_shown(seen):
            (_as_json if as_json else _as_text if is_work else _as_lines)(verb, seen)
    except CorrigibleError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except Exception as error:
        said = _foreign(error)
        if not said:
            raise  # A fault of the package, to be reported with its traceback.
        click.echo(f"error: {one_line(said)}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo("interrupted: nothing finished was lost", err=True)
        sys.exit(130)
    finally:
        if isinstance(seen.records, Generator):
            seen.records.close()  # At once, because closing removes what is half-written.
    if seen.is_problem_found:
        sys.exit(1)


LONGEST_STEP = 74
"""A longer command, with what it is for, takes two lines."""


class _Seen:
    """What is kept of the records that pass."""

    def __init__(self, is_problem: Callable[[Record], bool]) -> None:
        self.records: Iterator[Record] = iter(())
        self.is_problem_found = False
        self.next: tuple[str, ...] = ()
        """What the last verb says to do next."""
        self.clear: Callable[[], object] = bool
        """Takes away the line that says how far the work is, before another is printed."""
        self._is_problem = is_problem

    def passing(self, records: Iterator[Record]) -> Iterator[Record]:
        self.records = records
        for record in records:
            self.is_problem_found |= self._is_problem(record)
            self.next = getattr(record, "next", self.next)
            yield record


def _foreign(error: Exception) -> str:
    """What to say of an error that is no fault of the package: too little memory, or a file of the user's own."""
    # PyTorch raises a RuntimeError where the memory of the CPU is not enough, and a subclass of it for a GPU's.
    if isinstance(error, MemoryError) or "allocate memory" in str(error) or "out of memory" in str(error):
        return f"not enough memory ({error}); expected data and settings that fit"
    return described(error) if own_place(error) else ""


class _Told(logging.Handler):
    """Prints what the library logs as a warning, one line each, beside the records."""

    def __init__(self, seen: _Seen) -> None:
        super().__init__(logging.WARNING)
        self.seen = seen

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.clear()
        click.echo(f"{record.levelname.lower()}: {one_line(record.getMessage())}", err=True)


@contextmanager
def _words_shown(seen: _Seen) -> Iterator[None]:
    handler, log = _Told(seen), logging.getLogger("corrigible")
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def _as_json(verb: Callable[[], Iterator[Record]], seen: _Seen) -> None:
    with shown(False if sys.stdout.isatty() else None) as view:
        seen.clear = view.clear
        for _, fields in fields_of(seen.passing(verb())):
            click.echo(as_line(fields))


def _step_lines(step: str) -> list[str]:
    """The step; where the line would be long, what it is for stands on a line of its own, so that it can be copied."""
    command, comment, why = step.partition("  # ")
    return [step] if len(step) <= LONGEST_STEP or not comment else [f"# {why}", command]


def _as_lines(verb: Callable[[], Iterator[Record]], seen: _Seen) -> None:
    from corrigible.lines.telling import told

    console = Console(highlight=False, soft_wrap=True)
    for said in told(seen.passing(verb())):
        if isinstance(said, str):
            console.print(printable(said))


def _as_text(verb: Callable[[], Iterator[Record]], seen: _Seen) -> None:
    from corrigible.lines.bars import Bars
    from corrigible.lines.beats import Beats
    from corrigible.lines.printing import Step
    from corrigible.lines.telling import told
    from corrigible.workflow.records import Ahead

    console = Console(highlight=False, soft_wrap=True)
    with Bars(console) if console.is_terminal else Beats(console) as work, watched(work.step):
        for said in told(seen.passing(verb())):
            match said:
                case Step():
                    work.advance(said._replace(stage=printable(said.stage), values=printable(said.values)))
                case Ahead():
                    work.plan(len(said.runs), sum(said.epochs))
                case _:
                    work.say(printable(said))
    lines = (line for step in seen.next for line in _step_lines(printable(step)))
    for place, line in enumerate(lines):
        console.print(f"{'      ' if place else 'next: '}{escape(line)}")
