"""The printed form of what a verb itself yields: lines of text; it loads no PyTorch."""

from collections.abc import Iterator
from pathlib import Path
from typing import assert_never

from rich.markup import escape

from corrigible.figures import percent, short_number, signed
from corrigible.lines.printing import COLOURS, wrapped
from corrigible.printable import one_line, plural
from corrigible.workflow.looking_records import AskedNext, Audited, Changed, Proposed, Suspected, Taught
from corrigible.workflow.records import (
    Ahead,
    Answered,
    FeatureShare,
    Finished,
    Influenced,
    Line,
    Listed,
    Measured,
    Method,
    MethodCompared,
    Noted,
    OwnRecord,
    SealDiffers,
    Sealed,
    Started,
    Verified,
)

MOST_FILES = 3
"""Most files that are named of one suspect."""


def told_of_verbs(record: OwnRecord) -> Iterator[str]:
    """The lines of a record that a verb itself yields, with rich's markup."""
    match record:
        case Ahead():
            return _ahead(record)
        case Started():
            return _started(record)
        case Finished():
            look = [f"  look at {escape(record.page)}"] if record.page else []
            return iter(
                [f"[green]{record.verb}[/green]: {escape(record.path)}", *look, *_result(record), *_doubts(record)]
            )
        case Line():
            return iter([escape(record.text)])
        case FeatureShare():
            return iter([f"  {escape(record.title or record.feature):32} {record.share:.3f}"])
        case Audited() | Suspected() | Proposed() | AskedNext() | Changed() | Taught():
            return _of_looking(record)
        case Listed():
            return _listed(record)
        case Answered():
            about = record.file or f"{record.split} row {record.row}"
            said = f"{record.number:5}  {'answer':10}  {about:18}  {record.answer}"
            said += f"  {one_line(record.author)}  {record.at}  {one_line(record.note)}"
            return iter([escape(said.rstrip())])
        case Measured() | MethodCompared():  # Which are told together, as a table.
            return iter(())
        case Noted():
            return iter(_noted(record))
        case Sealed():
            return _sealed(record)
        case SealDiffers():
            return iter([escape(f"{record.about:12} {one_line(record.name):28} {record.first} → {record.second}")])
        case Verified():
            return _verified(record)
        case Method():
            return _method(record)
        case _:
            assert_never(record)


def _of_looking(record: Audited | Suspected | Proposed | AskedNext | Changed | Taught) -> Iterator[str]:
    match record:
        case Audited():
            return _audited(record)
        case Suspected():
            return _suspected(record)
        case Proposed():
            return _proposed(record)
        case Taught():
            return _taught(record)
        case AskedNext():
            place = record.file or f"{record.split} row {record.row}"
            return iter([escape(f"{record.rank:4}  {place:18}  {record.reason}")])
        case Changed():
            return map(escape, wrapped(_changed(record)))
        case _:
            assert_never(record)


def _changed(record: Changed) -> str:
    about = f"{record.split} row {record.row}, {record.prediction}"
    if record.status != "found":
        return f"{about}: {record.status}: {record.change}"
    unlike = " (unlike the rows of data with that answer)" if record.is_plausible is False else ""
    return f"{about}: {record.change}: then {record.answer}{unlike}"


def _ahead(record: Ahead) -> Iterator[str]:
    each = ", ".join(f"{name} {number}" for name, number in zip(record.runs, record.epochs, strict=True))
    runs = f"{len(record.runs)} runs, {sum(record.epochs)} epochs: {each}"
    if len(record.runs) < 2:
        runs = f"1 run of {plural(record.epochs[0], 'epoch')}" if record.runs else "no run"
    yield from map(escape, wrapped(f"ahead: {runs}{record.note and f'; {record.note}'}"))


def _result(record: Finished | Noted | Sealed | Verified) -> list[str]:
    return [escape(line) for line in wrapped(record.result)] if record.result else []


def _doubts(record: Finished) -> Iterator[str]:
    for doubt in record.doubts if isinstance(record, Influenced) else ():
        yield from (f"[yellow]{escape(line)}[/yellow]" for line in wrapped(f"careful: {doubt}"))


def _started(record: Started) -> Iterator[str]:
    reviewed = f", {record.num_reviewed} of them with feedback" if record.num_reviewed else ""
    yield f"[bold]{escape(record.label)}[/bold]: {record.num_rows} rows{reviewed}"


def _audited(record: Audited) -> Iterator[str]:
    if record.is_first:
        yield f"[bold]{escape(record.part)}[/bold]"
    for line in wrapped(f"{'!' if record.is_concern else ' '} {record.text}"):
        yield f"[yellow]{escape(line)}[/yellow]" if record.is_concern else escape(line)


def _suspected(record: Suspected) -> Iterator[str]:
    if record.rank == 1:
        yield from (f"[dim]{escape(line)}[/dim]" for line in _suspected_header(record))
    size, decimals = (100, 1) if record.moved_as else (1, 3)
    effect, low, high = (
        f"{size * value:.{decimals}f}".replace("-", "−") for value in (record.effect, record.low, record.high)
    )
    about = record.label or ("" if record.moved_as else "several")
    line = f"{record.rank:2} {record.region:18} {about:9} {f'{effect} ({low} to {high})':22}"
    line = escape(
        f"{line} {short_number(float(f'{record.ratio:.3g}')):>8} {record.agreement:5.2f} {record.suspicion:>9}"
    )
    if not record.tells_label:
        yield f"[dim]{line}[/dim]"
        return
    yield line
    named = " ".join(record.files[:MOST_FILES]) or "rows " + " ".join(map(str, record.rows))
    yield f"[dim]   such as {escape(named)}[/dim]"


def _suspected_header(record: Suspected) -> Iterator[str]:
    falls = "how far the score of the predicted class falls with other rows' values there"
    moved = f"other rows' values there move {record.moved_as.format('so many')}"
    yield from wrapped(f"effect: {moved if record.moved_as else falls}")
    yield from wrapped("× others: as a multiple of that of other regions")
    yield from wrapped("tells: how well the region alone tells the label, from 0 (by chance) to 1 (always)")
    yield from wrapped("suspicion, the order: the effect where the region tells the label; the first has 100 %")
    yield f"   {'region':18} {'' if record.moved_as else 'class':9} {'effect (95 %)':22} × others tells suspicion"


def _proposed(record: Proposed) -> Iterator[str]:
    if record.rank == 1:
        yield from (f"[dim]{escape(line)}[/dim]" for line in _proposed_header())
    about = f"{len(record.rows)} rows" if len(record.rows) > 1 else (*record.files, f"row {record.rows[0]}")[0]
    option, _, region = record.region.partition(" ")
    region = f"{option} …/{Path(region).name}" if option == "--mask" else record.region
    size = f"{percent(record.share, 0):>6} {percent(record.area):>7}"
    yield escape(f"{record.rank:2}  {record.title:22} {size}  {region:22} {about}")


def _proposed_header() -> Iterator[str]:
    yield from wrapped("regions on which predictions rest; those of several rows come first, then sorted by share")
    yield from wrapped("share: part of the explanation that lies there; area: part of the input that it covers")
    yield from wrapped("said as: how `feedback add` names it; … is the folder of this run")
    yield f"    {'region':22} {'share':>6} {'area':>7}  {'said as':22} where"


def _taught(record: Taught) -> Iterator[str]:
    place = record.file or f"{record.split} row {record.row}"
    yield f"[bold]{escape(place)}[/bold]" + escape(f": label {record.label}, predicted {record.prediction}")
    change = "change of its loss without the row" if record.unit == "loss" else "product of gradients"
    for title, found in zip(record.titles, (record.helpful, record.harmful), strict=True):
        yield escape(f"  {title}{f' ({change})' if found else ': none'}")
        for one in found:
            named, said = one.file or f"train row {one.row}", f"label {one.label}, predicted {one.prediction}"
            yield escape(f"    {signed(one.value):>10}  {named:18}  {said}")


def _listed(record: Listed) -> Iterator[str]:
    about = record.file or (f"{record.split} row {record.row}" if record.row is not None else "")
    about = about or (f"class {record.class_name or record.label}" if record.label is not None else "every row")
    state = "  [red](retracted)[/red]" if record.is_retracted else ""
    said = f"{record.number:5}  {record.polarity:10}  {about:18}  {record.region}"
    said += f"  {one_line(record.author)}  {record.at}  {one_line(record.note)}"
    yield escape(said.rstrip()) + state


def _verified(record: Verified) -> Iterator[str]:
    if not record.problems:
        yield f"[green]unchanged[/green]: {escape(record.path)}"
        if record.root:
            yield f"  root {record.root}"
        if record.head not in ("", record.root):
            yield f"  head {record.head}"
        yield from _result(record)
        return
    yield f"[red]{plural(len(record.problems), 'problem')}[/red] in {escape(record.path)}"
    yield from (f"  {escape(problem)}" for problem in record.problems)


def _sealed(record: Sealed) -> Iterator[str]:
    yield f"[green]sealed[/green]: {plural(record.num_files, 'file')} in {escape(record.path)}"
    if record.outcome:
        colour = COLOURS.get(record.outcome, "red")
        yield f"  verdict [{colour}]{escape(record.outcome)}[/{colour}]"
    yield f"  root {record.root}"
    if record.head:
        yield f"  head {record.head}"
        yield "  quote this head: with the public key it fixes the seal, its attestations and all before it"
    else:
        yield "  quote this root: it fixes every byte of every file"
    yield from _result(record)


def _method(record: Method) -> Iterator[str]:
    settings = f"  [dim]{escape(record.settings)}[/dim]" if record.settings else ""
    yield f"{record.family:17} [bold]{record.name}[/bold]{settings}"
    yield f"{'':17} {escape(record.summary)}"


def _noted(record: Noted) -> list[str]:
    known = f", {record.num_known} were there already" if record.num_known else ""
    doubts = (f"  [yellow]check the feedback: {escape(words)}[/yellow]" for words in record.doubts)
    done = "taken back" if record.verb == "feedback retract" else "stored"
    numbers = f" ({_listed_numbers(record.numbers)})" if record.numbers else ""
    return [f"[green]{record.verb}[/green]: {len(record.numbers)} {done}{numbers}{known}", *doubts, *_result(record)]


def _listed_numbers(numbers: tuple[int, ...]) -> str:
    """The numbers in the form that `feedback retract` takes."""
    if len(numbers) > 1 and numbers == tuple(range(numbers[0], numbers[-1] + 1)):
        return f"numbers {numbers[0]}-{numbers[-1]}"
    shown = " ".join(map(str, numbers[:10])) + (" …" if len(numbers) > 10 else "")
    return f"number {shown}" if len(numbers) == 1 else f"numbers {shown}"
