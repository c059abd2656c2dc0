"""Records on a terminal: lines, tables and a progress bar, or JSON lines."""

import dataclasses
import json
import math
import shutil
import sys
import textwrap
from collections.abc import Callable, Generator, Iterator
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from corrigible.errors import CorrigibleError

COLOURS = {"corrected": "green", "partly corrected": "yellow", "no reliance found": "yellow", "failed": "red"}
"""The colour of each outcome of a verdict."""
MOST_COLUMNS = 100
IF_FAILED = (
    "the correction failed; its run is kept, but `seal` refuses it: look again at what was marked, mark more rows, or "
    "let `compare` try other methods"
)


def has_problems(record: Any) -> bool:
    """Whether the record lists problems that `verify` found."""
    return bool(getattr(record, "problems", ()))


def is_failure(record: Any) -> bool:
    """Whether the record is the verdict of a correction that failed."""
    return bool(getattr(record, "outcome", "") == "failed")


def show(
    verb: Callable[[], Iterator[Any]],
    as_json: bool,
    *,
    is_problem: Callable[[Any], bool] = has_problems,
    advice: str = "",
) -> None:
    """Run the verb and print its records; exit with code 1 and one line on an error that the user can fix.

    If a record is a problem, the verb runs to its end, then the advice is printed and the exit code is 1 too.
    """
    printed = _as_json if as_json else _as_text
    records = verb()
    try:
        is_found = printed(records, is_problem)
    except CorrigibleError as error:
        click.echo(f"error: {' '.join(str(error).split())}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo("interrupted: nothing finished was lost", err=True)
        sys.exit(130)
    finally:
        if isinstance(records, Generator):
            records.close()  # At once, because closing removes what is half-written.
    if is_found:
        for line in _wrapped(advice) if not as_json else []:
            click.echo(line)
        sys.exit(1)


def as_line(record: Any) -> str:
    """The record as one line of JSON, which has no NaN or infinity: such a number becomes null."""
    return json.dumps(_finite({"record": type(record).__name__, **dataclasses.asdict(record)}), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value


def _as_json(records: Iterator[Any], is_problem: Callable[[Any], bool]) -> bool:
    is_found = False
    for record in records:
        click.echo(as_line(record))
        is_found |= is_problem(record)
    return is_found


def _as_text(records: Iterator[Any], is_problem: Callable[[Any], bool]) -> bool:
    console = Console(highlight=False, soft_wrap=True)
    is_found = False
    with _Bar(console) as bar:
        for record in records:
            kind = type(record).__name__
            if kind in BARS:
                bar.advance(*BARS[kind](record))
            else:
                bar.close()
                for line in LINES.get(kind, _plain)(record):
                    console.print(line)
            is_found |= is_problem(record)
    return is_found


class _Bar:
    """Progress of epochs, trials and shards: a bar on a terminal, otherwise one line at the end of each stage."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.stage = ""
        self.progress: Progress | None = None

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the current bar as it is; the next epoch, trial or shard starts a new one."""
        if self.progress is not None:
            self.progress.stop()
        self.progress = None

    def advance(self, stage: str, number: int, total: int, values: str, is_noted: bool) -> None:
        if not self.console.is_terminal:
            if number == total or is_noted:
                self.console.print(f"  {stage} {number}/{total}  {values}".rstrip())
            return
        if self.progress is None or stage != self.stage:
            self.close()
            self.stage, self.progress = stage, _started_progress(self.console, stage, total)
        self.progress.update(TaskID(0), completed=number, total=total, values=values)


def _started_progress(console: Console, stage: str, total: int) -> Progress:
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TextColumn("{task.fields[values]}"),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    )
    progress = Progress(*columns, console=console)
    progress.add_task(stage, total=total, values="")
    progress.start()
    return progress


def _epoch_values(epoch: Any) -> str:
    named = {"loss": epoch.loss, **epoch.penalties, **{f"val. {k}": v for k, v in epoch.validation.items()}}
    return "  ".join(f"{name} {value:.3g}" for name, value in named.items())


def _trial_values(trial: Any) -> str:
    """A trial's figures; accuracy on rows as found may fall if the confounder tells the label: never shown alone."""
    accuracy = f"accuracy {trial.accuracy:.3f} exchanged, {trial.as_found:.3f} as found"
    refused = "  refused" if trial.is_refused else ""
    return f"{trial.weight:g}: swap score {trial.swap_score:.3f}, {accuracy}{refused}"


BARS: dict[str, Callable[[Any], tuple[str, int, int, str, bool]]] = {
    "Epoch": lambda record: ("epoch", record.number, record.num_epochs, _epoch_values(record), False),
    "WeightTrial": lambda record: ("weight", record.number, record.num_trials, _trial_values(record), True),
    "ShardWritten": lambda record: (f"{record.name}: shard", record.number, record.num_shards, "", False),
}
"""Record -> stage, number, total, further values, and whether each record gets its own line without a terminal."""


def _started(record: Any) -> Iterator[str]:
    reviewed = f", {record.num_reviewed} of them with feedback" if record.num_reviewed else ""
    yield f"[bold]{escape(record.label)}[/bold]: {record.num_rows} rows{reviewed}"


def _planned(record: Any) -> Iterator[str]:
    kept = f"; goes on after {record.num_kept} finished before" if record.num_kept else ""
    shards = f"{record.num_shards} shards" if record.num_shards > 1 else "1 shard"
    yield f"[bold]{escape(record.name)}[/bold]: {record.num_rows} rows in {shards}{kept}"


def _verdict(record: Any) -> Iterator[str]:
    """The verdict's sentence with the outcome in its colour, and the rows and accuracies behind it."""
    colour = COLOURS.get(record.outcome, "red")
    first, *others = _wrapped(record.sentence)  # The sentence begins with the outcome.
    end = len("  ") + len(record.outcome)
    yield f"[bold {colour}]{escape(first[:end])}[/bold {colour}]{escape(first[end:])}"
    yield from map(escape, others)
    about = (
        f"judged on {record.num_rows} {record.where} rows; on these rows as they are it is right on "
        f"{100 * record.as_found_after:.1f} %, before on {100 * record.as_found_before:.1f} %; least often on class "
        f"{record.worst_class} ({100 * record.worst_class_accuracy:.1f} % with marked content exchanged)"
    )
    yield from (f"[dim]{escape(line)}[/dim]" for line in _wrapped(about))


def _wrapped(text: str) -> list[str]:
    """The text in lines of at most 100 characters, the second and later ones indented; no break before a %."""
    width = min(MOST_COLUMNS, shutil.get_terminal_size().columns)
    joined = text.replace(" %", "\u00a0%")
    lines = textwrap.wrap(joined, width, initial_indent="  ", subsequent_indent="    ", break_long_words=False)
    return [line.replace("\u00a0", " ") for line in lines]


def _measured(record: Any) -> Iterator[str]:
    """One line; measurements of a single class or group appear only in the report and with --json."""
    if record.part:
        return
    name = record.metric
    if record.value is None:
        yield f"  {escape(record.model):36} {escape(name):28} {escape(record.note)}"
        return
    interval = "" if record.low is None else f"[dim]{record.low:.3f} to {record.high:.3f}[/dim]"
    yield f"  {escape(record.model):36} {escape(name):28} [bold]{record.value:.3f}[/bold]  {interval}"


def _compared(record: Any) -> Iterator[str]:
    name = f"  {escape(record.method.replace('_', ' ')):32}"
    if record.note:
        yield f"{name} [dim]{escape(record.note)}[/dim]"
        return
    colour = COLOURS.get(record.outcome, "red")
    name += f" [{colour}]{escape(record.outcome):17}[/{colour}]"
    told = {
        "swap score": record.swap_score,
        "swapped accuracy": record.swapped_accuracy,
        "accuracy": record.accuracy,
        "overlap": record.attribution_overlap,
    }
    values = "  ".join(f"{what} [bold]{value:.3f}[/bold]" for what, value in told.items() if value is not None)
    yield f"{name} {values}  step {record.step_cost:.2f} ×"


def _suspected(record: Any) -> Iterator[str]:
    if record.rank == 1:
        yield f"[dim]{'':2} {'region':28} {'class':12} {'effect (95 %)':24} {'× others':>8} {'tells':>6}  rows[/dim]"
    effect = f"{record.effect:.3f} ({record.low:.3f} to {record.high:.3f})"
    line = f"{record.rank:2} {record.region:28} {record.label or 'several':12} {effect:24} {record.ratio:8.1f}"
    yield escape(f"{line} {record.telling:6.2f}  {' '.join(map(str, record.rows))}")


def _listed(record: Any) -> Iterator[str]:
    about = f"{record.split} row {record.row}" if record.row is not None else ""
    about = about or (f"class {record.label}" if record.label is not None else "every row")
    state = "  [red](retracted)[/red]" if record.is_retracted else ""
    said = f"{record.number:5}  {record.polarity:10}  {about:18}  {record.region}"
    said += f"  {record.author}  {record.at}  {record.note}"
    yield escape(said.rstrip()) + state


def _verified(record: Any) -> Iterator[str]:
    if not record.problems:
        yield f"[green]unchanged[/green]: {escape(record.path)}" + (f", root {record.root}" if record.root else "")
        return
    yield f"[red]{len(record.problems)} problems[/red] in {escape(record.path)}"
    yield from (f"  {escape(problem)}" for problem in record.problems)


def _sealed(record: Any) -> Iterator[str]:
    yield f"[green]sealed[/green]: {record.num_files} files in {escape(record.path)}"
    if record.outcome:
        colour = COLOURS.get(record.outcome, "red")
        yield f"  verdict [{colour}]{escape(record.outcome)}[/{colour}]"
    yield f"  root {record.root}  (quote this: it changes if anything in the folder does)"


def _method(record: Any) -> Iterator[str]:
    settings = f"  [dim]{escape(record.settings)}[/dim]" if record.settings else ""
    yield f"{record.family:17} [bold]{record.name}[/bold]{settings}"
    yield f"{'':17} {escape(record.summary)}"


def _plain(record: Any) -> Iterator[str]:
    yield escape("  ".join(f"{name} {value}" for name, value in dataclasses.asdict(record).items()))


def shift_in_words(record: Any) -> str:
    """The accuracy of both models with other rows' values in the region, as a phrase."""
    return f"right on {record.after:.0%} of rows when it is exchanged, before on {record.before:.0%}"


LINES: dict[str, Callable[[Any], Iterator[str]]] = {
    "Started": _started,
    "Finished": lambda record: iter([f"[green]{record.verb}[/green]: {escape(record.path)}"]),
    "WeightChoice": lambda record: iter([f"  {escape(record.message)}"]),
    "MethodChosen": lambda record: iter([f"  {escape(record.message)}"]),
    "Shift": lambda record: iter([escape(f"  matters more now: {record.region}; {shift_in_words(record)}")]),
    "Verdict": _verdict,
    "FeedbackDoubted": lambda record: iter([f"  [yellow]{escape(record.message)}[/yellow]"]),
    "ShardsPlanned": _planned,
    "Measured": _measured,
    "FeatureShare": lambda record: iter([f"  {escape(record.feature):32} {record.share:.3f}"]),
    "Line": lambda record: iter([escape(record.text)]),
    "Suspected": _suspected,
    "Listed": _listed,
    "MethodCompared": _compared,
    "Noted": lambda record: iter([f"[green]{record.verb}[/green]: {len(record.numbers)} stored"]),
    "Sealed": _sealed,
    "Verified": _verified,
    "Method": _method,
}
