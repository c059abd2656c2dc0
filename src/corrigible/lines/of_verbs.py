"""The printed form of what a verb itself yields: lines of text; it loads no PyTorch."""

from collections.abc import Iterator
from typing import assert_never

from rich.markup import escape

from corrigible.figures import number
from corrigible.lines.printing import COLOURS
from corrigible.printable import plural
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
    Sealed,
    Started,
    Suspected,
    Verified,
)


def told_of_verbs(record: OwnRecord) -> Iterator[str]:
    """The lines of a record that a verb itself yields, with rich's markup."""
    match record:
        case Started():
            return _started(record)
        case Finished():
            look = [f"  look at {escape(record.page)}"] if record.page else []
            return iter([f"[green]{record.verb}[/green]: {escape(record.path)}", *look])
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


def _started(record: Started) -> Iterator[str]:
    reviewed = f", {record.num_reviewed} of them with feedback" if record.num_reviewed else ""
    yield f"[bold]{escape(record.label)}[/bold]: {record.num_rows} rows{reviewed}"


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
    yield escape(f"{line} {record.agreement:6.2f}  {' '.join(record.files or map(str, record.rows))}")


def _listed(record: Listed) -> Iterator[str]:
    about = record.file or (f"{record.split} row {record.row}" if record.row is not None else "")
    about = about or (f"class {record.class_name or record.label}" if record.label is not None else "every row")
    state = "  [red](retracted)[/red]" if record.is_retracted else ""
    said = f"{record.number:5}  {record.polarity:10}  {about:18}  {record.region}"
    said += f"  {record.author}  {record.at}  {record.note}"
    yield escape(said.rstrip()) + state


def _verified(record: Verified) -> Iterator[str]:
    if not record.problems:
        yield f"[green]unchanged[/green]: {escape(record.path)}" + (f", root {record.root}" if record.root else "")
        return
    yield f"[red]{plural(len(record.problems), 'problem')}[/red] in {escape(record.path)}"
    yield from (f"  {escape(problem)}" for problem in record.problems)


def _sealed(record: Sealed) -> Iterator[str]:
    yield f"[green]sealed[/green]: {plural(record.num_files, 'file')} in {escape(record.path)}"
    if record.outcome:
        colour = COLOURS.get(record.outcome, "red")
        yield f"  verdict [{colour}]{escape(record.outcome)}[/{colour}]"
    yield f"  root {record.root}  (quote this: it fixes every byte of every file)"


def _method(record: Method) -> Iterator[str]:
    settings = f"  [dim]{escape(record.settings)}[/dim]" if record.settings else ""
    yield f"{record.family:17} [bold]{record.name}[/bold]{settings}"
    yield f"{'':17} {escape(record.summary)}"


def _noted(record: Noted) -> list[str]:
    known = f", {record.num_known} were there already" if record.num_known else ""
    doubts = (f"  [yellow]check the feedback: {escape(words)}[/yellow]" for words in record.doubts)
    return [f"[green]{record.verb}[/green]: {len(record.numbers)} stored{known}", *doubts]
