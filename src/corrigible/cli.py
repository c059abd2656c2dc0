"""The command line: parse the arguments, call the verb, print the records that it yields."""

import errno
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from corrigible import __version__, demos, workflow
from corrigible.printable import one_line
from corrigible.terminal import IF_FAILED, is_failure, show


class _Place(click.Path):
    """A path that this computer can have: missing is for the verb to say, too long or led in a circle is for here."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(path_type=Path, **settings)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            Path(value).stat()
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
                self.fail(f"{one_line(str(value))!r} cannot be used as a path ({error.strerror}).", param, ctx)
        except ValueError as error:
            self.fail(f"{one_line(str(value))!r} cannot be used as a path ({error}).", param, ctx)
        return super().convert(value, param, ctx)


class _Numbers(click.ParamType):
    """A number such as 3, or all from one to another, such as 3-17."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        first, dash, last = str(value).partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or len(value) > 30:
            self.fail(f"{one_line(str(value))!r} is no number; expected one such as 3, or a range such as 3-17.")
        return range(int(first), int(last) + 1) if dash else int(first)


STUDY = click.argument("study", type=_Place(file_okay=False))
SEED = click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), help="Seed of every random choice [default: the recipe's]."
)
DEVICE = click.option("--device", default="cpu", show_default=True, help="Where to compute: cpu, cuda, cuda:1, mps.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print each record as one JSON line.")
AUTHOR = click.option("--author", default="", help="Who says so.")
NOTE = click.option("--note", default="", help="Why.")


def computing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every computing verb shares: --seed, --device and --json."""
    return SEED(DEVICE(JSON(command)))


class _Commands(click.Group):
    """Commands whose usage errors are printable, whatever they echo."""

    def main(self, *arguments: Any, **settings: Any) -> Any:
        with suppress(AttributeError):  # A stream that somebody put in place of the terminal.
            for stream in (sys.stdout, sys.stderr):
                stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        return super().main(*arguments, **settings)

    def make_context(self, *arguments: Any, **settings: Any) -> click.Context:
        with _printable_usage():
            return super().make_context(*arguments, **settings)

    def invoke(self, context: click.Context) -> Any:
        with _printable_usage():
            return super().invoke(context)


@contextmanager
def _printable_usage() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        vars(error)["message"] = one_line(error.message)
        raise


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Neural networks you can correct: train, explain, review, correct, evaluate, seal.

    Each command works on a study: a folder with a recipe.toml, to which it adds a run.
    """


@main.command()
@click.argument("name", type=click.Choice(sorted(demos.DEMOS)))
@click.argument("folder", type=_Place(file_okay=False), required=False)
@computing
def demo(name: str, folder: Path | None, seed: int | None, device: str, as_json: bool) -> None:
    """Run the whole loop on real data, into FOLDER [default: demo-studies/NAME]."""
    target = folder or Path("demo-studies") / name
    show(lambda: demos.run(name, target, seed=seed, device=device), as_json)


@main.command()
@STUDY
@click.option("--kind", help="Kind of data: image, table or text [default: that of the files in STUDY/data, or image].")
@JSON
def init(study: Path, kind: str | None, as_json: bool) -> None:
    """Make a study folder with a commented recipe that fits the files in STUDY/data."""
    show(lambda: workflow.init(study, kind=kind), as_json)


@main.command()
@STUDY
@JSON
def trust(study: Path, as_json: bool) -> None:
    """Trust the code that the recipe names: read the recipe first, it is a program."""
    show(lambda: workflow.trust(study), as_json)


@main.command()
@STUDY
@computing
def train(study: Path, seed: int | None, device: str, as_json: bool) -> None:
    """Train the recipe's model."""
    show(lambda: workflow.train(study, seed=seed, device=device), as_json)


@main.command()
@STUDY
@click.option("--run", help="Run whose model to explain [default: the latest].")
@click.option("--file", "files", multiple=True, help="Image file to explain, test/cat/043.jpg [default: every row].")
@click.option(
    "--all", "every_row", is_flag=True, help="Every row of every split, in shards; goes on where interrupted."
)
@click.option("--split", "splits", multiple=True, help="With --all: this split alone; may be given several times.")
@click.option("--format", type=click.Choice(["safetensors", "parquet"]), help="With --all [default: safetensors].")
@click.option("--rows-per-shard", type=click.IntRange(1), help="With --all [default: as many as make 16 MiB].")
@computing
def explain(study: Path, every_row: bool, as_json: bool, **chosen: Any) -> None:
    """Explain a model's predictions row by row."""
    about_shards = {name: chosen.pop(name) for name in ("splits", "format", "rows_per_shard")}
    given = {name: value for name, value in about_shards.items() if value}
    files = chosen.pop("files")
    if files and every_row:
        raise click.UsageError("--file names single rows; leave out --all")
    if given and not every_row:
        raise click.UsageError("--split, --format and --rows-per-shard need --all")
    show(
        lambda: (
            workflow.explain_all(study, **given, **chosen)
            if every_row
            else workflow.explain(study, files=files, **chosen)
        ),
        as_json,
    )


@main.command()
@STUDY
@computing
def correct(study: Path, seed: int | None, device: str, as_json: bool) -> None:
    """Train again on the feedback given so far; exit with 1 where the correction failed."""
    show(lambda: workflow.correct(study, seed=seed, device=device), as_json, is_problem=is_failure, advice=IF_FAILED)


@main.command()
@STUDY
@click.option(
    "--method", "methods", multiple=True, help="A penalty or augmentation; several times for several [default: all]."
)
@computing
def compare(study: Path, methods: tuple[str, ...], seed: int | None, device: str, as_json: bool) -> None:
    """Correct with several methods on the same feedback: one table and one plot."""
    show(lambda: workflow.compare(study, methods=methods, seed=seed, device=device), as_json)


@main.command()
@STUDY
@computing
def evaluate(study: Path, seed: int | None, device: str, as_json: bool) -> None:
    """Measure the models before and after on the same rows."""
    show(lambda: workflow.evaluate(study, seed=seed, device=device), as_json)


@main.command()
@STUDY
@JSON
def report(study: Path, as_json: bool) -> None:
    """Write report.html from the latest evaluation."""
    show(lambda: workflow.report(study), as_json)


@main.command()
@STUDY
@click.option("--name", default="", help="Name of the sealed folder [default: the run's].")
@click.option("--anyway", is_flag=True, help="Also a correction whose verdict is failed.")
@JSON
def seal(study: Path, name: str, anyway: bool, as_json: bool) -> None:
    """Seal the latest evaluated model with a manifest of hashes."""
    show(lambda: workflow.seal(study, name=name, anyway=anyway), as_json)


@main.command()
@click.argument("folder", type=_Place(file_okay=False))
@click.option("--root", help="Root hash that was quoted for this folder.")
@JSON
def verify(folder: Path, root: str | None, as_json: bool) -> None:
    """Check a sealed folder, or every run of a study; exit with 1 if anything was changed."""
    show(lambda: workflow.verify(folder, root=root), as_json)


@main.command()
@STUDY
@click.option("--run", help="Run whose model to look at [default: the latest].")
@computing
def suspect(study: Path, run: str | None, seed: int | None, device: str, as_json: bool) -> None:
    """Rank regions that the model may rely on by mistake, for a person to look at."""
    show(lambda: workflow.suspect(study, run=run, seed=seed, device=device), as_json)


@main.command()
@JSON
def methods(as_json: bool) -> None:
    """List every explainer, score, penalty, task, metric and model with its settings."""
    show(workflow.methods, as_json)


@main.group()
def feedback() -> None:
    """Say which inputs must not matter, or should."""


@feedback.command("add")
@STUDY
@click.option("--feature", "features", multiple=True, help="Name of a table's feature; may be given several times.")
@click.option("--box", type=int, nargs=4, help="Rectangle in pixels: top left height width.")
@click.option("--mask", type=_Place(dir_okay=False), help="An image, marked where not black, or an .npy of booleans.")
@click.option("--phrase", default="", help="Words of a text, wherever they stand side by side.")
@click.option("--token", "tokens", type=int, multiple=True, help="Place of a word, from 0; may be given several times.")
@click.option("--row", type=int, help="Row it is about [default: every row].")
@click.option("--file", default="", help="Image file it is about, in place of --row: train/cat/043.jpg.")
@click.option("--label", help="Class whose rows it is about, by name or number.")
@click.option("--split", default="train", show_default=True, help="Split of the data that --row belongs to.")
@click.option("--polarity", type=click.Choice(["irrelevant", "relevant"]), default="irrelevant", show_default=True)
@AUTHOR
@NOTE
@JSON
def add_feedback(study: Path, as_json: bool, **said: Any) -> None:
    """Mark one region as irrelevant or relevant."""
    show(lambda: workflow.add_feedback(study, **said), as_json)


@feedback.command("import")
@STUDY
@click.argument("source", type=_Place())
@JSON
def import_feedback(study: Path, source: Path, as_json: bool) -> None:
    """Add everything in a JSON file, or in a folder of masks: all of it or nothing."""
    show(lambda: workflow.import_feedback(study, source), as_json)


@feedback.command("export")
@STUDY
@click.argument("file", type=_Place(dir_okay=False))
@JSON
def export_feedback(study: Path, file: Path, as_json: bool) -> None:
    """Write the feedback that stands to a JSON file."""
    show(lambda: workflow.export_feedback(study, file), as_json)


@feedback.command("list")
@STUDY
@JSON
def list_feedback(study: Path, as_json: bool) -> None:
    """List everything that was said, also what was retracted."""
    show(lambda: workflow.list_feedback(study), as_json)


@feedback.command("retract")
@STUDY
@click.argument("numbers", type=_Numbers(), nargs=-1, required=True)
@AUTHOR
@NOTE
@JSON
def retract_feedback(study: Path, numbers: tuple[int | range, ...], author: str, note: str, as_json: bool) -> None:
    """Take statements back: by number, or from one number to another; the history keeps them."""
    show(lambda: workflow.retract_feedback(study, *numbers, author=author, note=note), as_json)
