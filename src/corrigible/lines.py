"""The printed form of each record: a step of a progress bar, or lines of text."""

import shutil
import textwrap
from collections.abc import Iterator
from typing import NamedTuple, assert_never

from rich.markup import escape

from corrigible.explanations.shards.explaining_all import ShardsPlanned, ShardWritten
from corrigible.figures import number
from corrigible.protocols.corrections.defaults import MethodChosen
from corrigible.protocols.corrections.mask_checks import FeedbackDoubted
from corrigible.protocols.corrections.verdict import Verdict
from corrigible.protocols.corrections.weight import WeightChoice, WeightTrial
from corrigible.regions.shifts import Shift
from corrigible.training import Epoch
from corrigible.workflow.records import (
    FeatureShare,
    Finished,
    Line,
    Listed,
    Measured,
    Method,
    MethodCompared,
    Noted,
    OwnRecord,
    Record,
    Sealed,
    Started,
    Suspected,
    Verified,
)

COLOURS = {"corrected": "green", "partly corrected": "yellow", "no reliance found": "yellow", "failed": "red"}
"""The colour of each outcome of a verdict."""
MOST_COLUMNS = 100


class Step(NamedTuple):
    """The progress of a stage."""

    stage: str
    number: int
    total: int
    values: str
    """Further values to print."""
    is_noted: bool
    """Whether each step is a line if the output is no terminal; otherwise only the last step is."""


def told(record: Record) -> Step | Iterator[str]:
    """The record as a step of a progress bar, or as lines with rich's markup."""
    match record:
        case Epoch():
            return Step("epoch", record.number, record.num_epochs, _epoch_values(record), False)
        case WeightTrial():
            return Step("weight", record.number, record.num_trials, _trial_values(record), True)
        case ShardWritten():
            return Step(f"{record.name}: shard", record.number, record.num_shards, "", False)
        case MethodChosen() | WeightChoice():
            return iter([f"  {escape(record.message)}"])
        case FeedbackDoubted():
            return iter([f"  [yellow]{escape(record.message)}[/yellow]"])
        case Shift():
            return iter([escape(f"  matters more now: {record.region}; {shift_in_words(record)}")])
        case Verdict():
            return _verdict(record)
        case ShardsPlanned():
            return _planned(record)
        case _:
            return _own(record)


def _own(record: OwnRecord) -> Iterator[str]:
    """The lines of a record that a verb itself yields."""
    match record:
        case Started():
            return _started(record)
        case Finished():
            return iter([f"[green]{record.verb}[/green]: {escape(record.path)}"])
        case Line():
            return iter([escape(record.text)])
        case Measured():
            return _measured(record)
        case FeatureShare():
            return iter([f"  {escape(record.feature):32} {record.share:.3f}"])
        case Suspected():
            return _suspected(record)
        case Listed():
            return _listed(record)
        case MethodCompared():
            return _compared(record)
        case Noted():
            return iter(_noted(record))
        case Sealed():
            return _sealed(record)
        case Verified():
            return _verified(record)
        case Method():
            return _method(record)
        case _:
            assert_never(record)


def _epoch_values(epoch: Epoch) -> str:
    named = {"loss": epoch.loss, **epoch.penalties, **{f"val. {k}": v for k, v in epoch.validation.items()}}
    return "  ".join(f"{name} {value:.3g}" for name, value in named.items())


def _trial_values(trial: WeightTrial) -> str:
    """The accuracy of a trial with marked content exchanged, and on the rows as found, which may fall rightly."""
    accuracy = f"{trial.measured} {trial.accuracy:.3f} exchanged, {trial.as_found:.3f} as found"
    refused = "  refused" if trial.is_refused else ""
    return f"{trial.weight:g}: swap score {trial.swap_score:.3f}, {accuracy}{refused}"


def wrapped(text: str) -> list[str]:
    """Lines that are read with ease, the second and later ones indented; a number stays with its %."""
    width = min(MOST_COLUMNS, shutil.get_terminal_size().columns)
    joined = text.replace(" %", "\u00a0%")
    lines = textwrap.wrap(joined, width, initial_indent="  ", subsequent_indent="    ", break_long_words=False)
    return [line.replace("\u00a0", " ") for line in lines]


def _started(record: Started) -> Iterator[str]:
    reviewed = f", {record.num_reviewed} of them with feedback" if record.num_reviewed else ""
    yield f"[bold]{escape(record.label)}[/bold]: {record.num_rows} rows{reviewed}"


def _planned(record: ShardsPlanned) -> Iterator[str]:
    kept = f"; goes on after {record.num_kept} finished before" if record.num_kept else ""
    shards = f"{record.num_shards} shards" if record.num_shards > 1 else "1 shard"
    yield f"[bold]{escape(record.name)}[/bold]: {record.num_rows} rows in {shards}{kept}"


def _verdict(record: Verdict) -> Iterator[str]:
    """The outcome in its colour, the sentence, and what to read it with."""
    colour = COLOURS.get(record.outcome, "red")
    first, *others = wrapped(record.sentence)  # Which begins with the outcome.
    end = len("  ") + len(record.outcome)
    yield f"[bold {colour}]{escape(first[:end])}[/bold {colour}]{escape(first[end:])}"
    yield from map(escape, others)
    now, then = 100 * record.as_found_after, 100 * record.as_found_before
    right = f"the {record.measured} is {now:.1f} %, before {then:.1f} %"
    if record.worst_class_accuracy is not None:
        right = (
            f"it is right on {now:.1f} %, before on {then:.1f} %; least often on class {record.worst_class} "
            f"({100 * record.worst_class_accuracy:.1f} % with marked content exchanged)"
        )
    about = f"judged on {record.num_rows} {record.where} rows; on these rows as they are {right}"
    yield from (f"[dim]{escape(line)}[/dim]" for line in wrapped(about))


def _measured(record: Measured) -> Iterator[str]:
    """One line; what is about a single class or group is left to the report and to --json."""
    if record.part:
        return
    name = record.metric
    if record.value is None:
        yield f"  {escape(record.model):36} {escape(name):28} {escape(record.note)}"
        return
    interval = ""
    if record.low is not None and record.high is not None:
        interval = f"[dim]{number(record.low)} to {number(record.high)}[/dim]"
    yield f"  {escape(record.model):36} {escape(name):28} [bold]{number(record.value)}[/bold]  {interval}"


def _compared(record: MethodCompared) -> Iterator[str]:
    name = f"  {escape(record.method.replace('_', ' ')):32}"
    if record.note:
        yield f"{name} [dim]{escape(record.note)}[/dim]"
        return
    colour = COLOURS.get(record.outcome, "red")
    name += f" [{colour}]{escape(record.outcome):17}[/{colour}]"
    figures = {
        "swap score": record.swap_score,
        "swapped accuracy": record.swapped_accuracy,
        "accuracy": record.accuracy,
        "overlap": record.attribution_overlap,
    }
    figures |= {name.replace("_", " "): value for name, value in [*record.measured.items()][:3]}
    values = "  ".join(f"{what} [bold]{number(value)}[/bold]" for what, value in figures.items() if value is not None)
    yield f"{name} {values}  step {record.step_cost:.2f} ×"


def _suspected(record: Suspected) -> Iterator[str]:
    if record.rank == 1:
        yield f"[dim]{'':2} {'region':28} {'label':12} {'effect (95 %)':24} {'× others':>8} {'tells':>6}  rows[/dim]"
    effect = f"{record.effect:.3f} ({record.low:.3f} to {record.high:.3f})"
    line = f"{record.rank:2} {record.region:28} {record.label or 'several':12} {effect:24} {record.ratio:8.1f}"
    yield escape(f"{line} {record.agreement:6.2f}  {' '.join(map(str, record.rows))}")


def _listed(record: Listed) -> Iterator[str]:
    about = f"{record.split} row {record.row}" if record.row is not None else ""
    about = about or (f"class {record.label}" if record.label is not None else "every row")
    state = "  [red](retracted)[/red]" if record.is_retracted else ""
    said = f"{record.number:5}  {record.polarity:10}  {about:18}  {record.region}"
    said += f"  {record.author}  {record.at}  {record.note}"
    yield escape(said.rstrip()) + state


def _verified(record: Verified) -> Iterator[str]:
    if not record.problems:
        yield f"[green]unchanged[/green]: {escape(record.path)}" + (f", root {record.root}" if record.root else "")
        return
    yield f"[red]{len(record.problems)} problems[/red] in {escape(record.path)}"
    yield from (f"  {escape(problem)}" for problem in record.problems)


def _sealed(record: Sealed) -> Iterator[str]:
    yield f"[green]sealed[/green]: {record.num_files} files in {escape(record.path)}"
    if record.outcome:
        colour = COLOURS.get(record.outcome, "red")
        yield f"  verdict [{colour}]{escape(record.outcome)}[/{colour}]"
    yield f"  root {record.root}  (quote this: it fixes every byte of every file)"


def _method(record: Method) -> Iterator[str]:
    settings = f"  [dim]{escape(record.settings)}[/dim]" if record.settings else ""
    yield f"{record.family:17} [bold]{record.name}[/bold]{settings}"
    yield f"{'':17} {escape(record.summary)}"


def shift_in_words(record: Shift) -> str:
    """How good predictions are with other rows' values in the region."""
    return f"{record.measured} {record.after:.0%} when it is exchanged, before {record.before:.0%}"


def _noted(record: Noted) -> list[str]:
    known = f", {record.num_known} were there already" if record.num_known else ""
    doubts = (f"  [yellow]check the feedback: {escape(words)}[/yellow]" for words in record.doubts)
    return [f"[green]{record.verb}[/green]: {len(record.numbers)} stored{known}", *doubts]
