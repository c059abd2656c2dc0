"""Records on a terminal: lines, tables and a progress bar, or JSON lines."""

import dataclasses
import json
import logging
import math
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from corrigible.errors import CorrigibleError
from corrigible.named_functions import described, own_place
from corrigible.printable import one_line, printable
from corrigible.progress import shown, watched

if TYPE_CHECKING:
    from corrigible.workflow.records import Record
else:
    Record = Any  # Asking for help loads no PyTorch.

IF_FAILED = (
    "the correction failed; its run is kept, but `seal` refuses it: look again at what was marked, mark more rows, or "
    "let `compare` try other methods"
)


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
    advice: str = "",
) -> None:
    """Run the verb and print its records; exit with code 1 and one line on an error that the user can fix.

    If a record is a problem, the verb runs to its end, then the advice is printed and the exit code is 1 too.
    """
    printed = _as_json if as_json else _as_text
    records = verb()
    try:
        with _words_shown():
            is_found = printed(records, is_problem)
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
        if isinstance(records, Generator):
            records.close()  # At once, because closing removes what is half-written.
    if is_found:
        from corrigible.lines.printing import wrapped

        for line in wrapped(advice) if not as_json else []:
            click.echo(line)
        sys.exit(1)


def _foreign(error: Exception) -> str:
    """What to say of an error that is no fault of the package: too little memory, or a file of the user's own."""
    # PyTorch raises a RuntimeError where the memory of the CPU is not enough, and a subclass of it for a GPU's.
    if isinstance(error, MemoryError) or "allocate memory" in str(error) or "out of memory" in str(error):
        return f"not enough memory ({error}); expected data and settings that fit"
    return described(error) if own_place(error) else ""


class _Told(logging.Handler):
    """Prints what the library logs as a warning, one line each, beside the records."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(f"{record.levelname.lower()}: {one_line(record.getMessage())}", err=True)


@contextmanager
def _words_shown() -> Iterator[None]:
    handler, log = _Told(logging.WARNING), logging.getLogger("corrigible")
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def as_line(record: Record) -> str:
    """The record as one line of JSON, which has no NaN or infinity: such a number becomes null."""
    return json.dumps(_finite({"record": type(record).__name__, **dataclasses.asdict(record)}), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value


def _as_json(records: Iterator[Record], is_problem: Callable[[Record], bool]) -> bool:
    is_found = False
    with shown(False if sys.stdout.isatty() else None):
        for record in records:
            click.echo(as_line(record))
            is_found |= is_problem(record)
    return is_found


def _as_text(records: Iterator[Record], is_problem: Callable[[Record], bool]) -> bool:
    from corrigible.lines.printing import Step
    from corrigible.lines.telling import told

    console = Console(highlight=False, soft_wrap=True)
    is_found = False
    with _Bar(console) as bar, watched(bar.step) if console.is_terminal else shown(None):
        for record in records:
            step = told(record)
            if isinstance(step, Step):
                bar.advance(*step._replace(stage=printable(step.stage), values=printable(step.values)))
            else:
                bar.close()
                for line in step:
                    console.print(printable(line))
            is_found |= is_problem(record)
    return is_found


class _Bar:
    """Progress of epochs, trials and shards: a bar on a terminal, otherwise one line at the end of each stage."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.stage = ""
        self.progress: Progress | None = None
        self.inner: TaskID | None = None

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the current bar as it is; the next epoch, trial or shard starts a new one."""
        if self.progress is not None:
            if self.inner is not None:
                self.progress.remove_task(self.inner)
            self.progress.stop()
        self.progress = self.inner = None

    def step(self, stage: str, number: int, total: int | None) -> None:
        """Show how far something inside a stage, or before the first, is: a second bar, gone when it is finished."""
        if self.progress is None:
            self.stage, self.progress = "", _started_progress(self.console, transient=True)
        if self.inner is None:
            self.inner = self.progress.add_task(stage, total=total, values="")
        self.progress.update(self.inner, description=stage, completed=number, total=total)
        if number == total:
            self.progress.remove_task(self.inner)
            self.inner = None

    def advance(self, stage: str, number: int, total: int, values: str, is_noted: bool) -> None:
        if not self.console.is_terminal:
            if number == total or is_noted:
                self.console.print(f"  {stage} {number}/{total}  {values}".rstrip())
            return
        if self.progress is None or stage != self.stage:
            self.close()
            self.stage, self.progress = stage, _started_progress(self.console)
            self.progress.add_task(stage, total=total, values="")
        self.progress.update(TaskID(0), completed=number, total=total, values=values)


def _started_progress(console: Console, *, transient: bool = False) -> Progress:
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TextColumn("{task.fields[values]}"),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    )
    progress = Progress(*columns, console=console, transient=transient)
    progress.start()
    return progress
