"""The commands about feedback: add, import, export, list, retract."""

from pathlib import Path
from typing import Any

import click

from corrigible import workflow
from corrigible.cli_options import AUTHOR, JSON, NOTE, STUDY, Numbers, Place
from corrigible.terminal import show


@click.group()
def feedback() -> None:
    """Say which inputs must not matter, or should; `correct` then learns from it."""


@feedback.command("add")
@STUDY
@click.option("--feature", "features", multiple=True, help="Name of a table's feature; may be given several times.")
@click.option("--box", type=int, nargs=4, help="Rectangle in pixels: top left height width.")
@click.option("--mask", type=Place(dir_okay=False), help="An image, marked where not black, or an .npy of booleans.")
@click.option("--phrase", default="", help="Words of a text, wherever they stand side by side.")
@click.option("--token", "tokens", type=int, multiple=True, help="Place of a word, from 0; may be given several times.")
@click.option("--row", type=int, help="Row it is about [default: every row].")
@click.option("--file", default="", help="Image file it is about, in place of --row: train/cat/043.jpg.")
@click.option("--label", help="Class whose rows it is about, by name or number.")
@click.option("--split", help="Split of the data that --row belongs to [default: train].")
@click.option("--polarity", type=click.Choice(["irrelevant", "relevant"]), default="irrelevant", show_default=True)
@AUTHOR
@NOTE
@JSON
def add_feedback(study: Path, as_json: bool, **said: Any) -> None:
    """Mark one region as irrelevant or relevant.

    About every row, or with --label about a class, or with --row about one row. Exactly one kind of region.

    Example: corrigible feedback add credit --feature postcode --author Ada --note "stands for income"
    """
    show(lambda: workflow.add_feedback(study, **said), as_json)


@feedback.command("answer")
@STUDY
@click.option("--row", type=int, help="Row that was looked at.")
@click.option("--file", default="", help="Image file that was looked at, in place of --row: train/cat/043.jpg.")
@click.option("--split", default="train", show_default=True, help="Split of the data that --row belongs to.")
@click.option(
    "--says",
    type=click.Choice(["nothing wrong", "label is wrong", "not sure", "skipped"]),
    required=True,
    help="The answer; what is marked, `feedback add` says.",
)
@AUTHOR
@NOTE
@JSON
def answer_feedback(study: Path, as_json: bool, **said: Any) -> None:
    """Say of one row that nothing is wrong with it, that its label is, or that you are not sure.

    Example: corrigible feedback answer scans --file train/cat/043.jpg --says "nothing wrong" --author Ada
    """
    show(lambda: workflow.answer_feedback(study, **said), as_json)


@feedback.command("conflicts")
@STUDY
@JSON
def conflicts(study: Path, as_json: bool) -> None:
    """List where people contradict each other, and say how far they agree.

    Example: corrigible feedback conflicts credit
    """
    show(lambda: workflow.conflicts(study), as_json)


@feedback.command("import")
@STUDY
@click.argument("source", type=Place())
@JSON
def import_feedback(study: Path, source: Path, as_json: bool) -> None:
    """Add everything in a JSON file, or in a folder of masks: all of it or nothing.

    Masks are images named like the study's: SOURCE/irrelevant/train/CLASS/NAME.png, or relevant.

    Example: corrigible feedback import scans masks/
    """
    show(lambda: workflow.import_feedback(study, source), as_json)


@feedback.command("export")
@STUDY
@click.argument("file", type=Place(dir_okay=False))
@click.option("--revision", type=click.IntRange(0), help="As it stood after that change [default: as it stands now].")
@JSON
def export_feedback(study: Path, file: Path, revision: int | None, as_json: bool) -> None:
    """Write the feedback that stands to a JSON file.

    Example: corrigible feedback export credit said.json
    """
    show(lambda: workflow.export_feedback(study, file, revision=revision), as_json)


@feedback.command("list")
@STUDY
@JSON
def list_feedback(study: Path, as_json: bool) -> None:
    """List everything that was said, also what was retracted.

    Example: corrigible feedback list credit
    """
    show(lambda: workflow.list_feedback(study), as_json)


@feedback.command("retract")
@STUDY
@click.argument("numbers", type=Numbers(), nargs=-1, required=True)
@AUTHOR
@NOTE
@JSON
def retract_feedback(study: Path, numbers: tuple[int | range, ...], author: str, note: str, as_json: bool) -> None:
    """Take statements back: by number, or from one number to another; the history keeps them.

    An import says which numbers it stored: a range takes back all of it.

    Example: corrigible feedback retract credit 2 5-17 --note "wrong column"
    """
    show(lambda: workflow.retract_feedback(study, *numbers, author=author, note=note), as_json)
