"""The commands that say where to look: audit, suspect, propose, queue, counterfactuals and influence."""

from pathlib import Path
from typing import Any

import click

from corrigible import workflow
from corrigible.cli_options import STUDY, Place, computing
from corrigible.terminal import show


@click.command()
@click.argument("place", metavar="STUDY|FILE", type=Place())
@click.option("--model", default="", help="Of a FILE: the model as a function of a frame, module:function.")
@click.option("--target", default="", help="Of a FILE: the column with the labels.")
@click.option("--exposure", default="", help="Of a FILE: the column with the exposure of each row.")
@click.option("--group", "groups", multiple=True, help="Sensitive attribute; may be given several times.")
@click.option("--forbidden", multiple=True, help="Column that must not count; may be given several times.")
@click.option("--rising", multiple=True, help="Column with which predictions must not fall.")
@click.option("--falling", multiple=True, help="Column with which predictions must not rise.")
@click.option("--run", help="Of a STUDY: run whose model to audit [default: the latest].")
@computing
def audit(place: Path, as_json: bool, **chosen: Any) -> None:
    """Audit a model: for whom it is worse, what leaks, which columns are proxies, how far predictions jump.

    A STUDY's latest model on its test rows makes runs/…-audit; of a CSV or Parquet FILE, NAME-audit.html is written
    here. It reads [evaluate] and [causes].

    Example: corrigible audit credit --forbidden sex
    """
    show(lambda: workflow.audit(place, **chosen), as_json)


@click.command()
@STUDY
@click.option("--run", help="Run whose model to look at [default: the latest].")
@computing
def suspect(study: Path, run: str | None, seed: int | None, device: str, as_json: bool) -> None:
    """Rank regions that the model may rely on by mistake, for a person to look at.

    It makes runs/…-suspect and marks nothing: `feedback add` takes a region as it is printed.

    Example: corrigible suspect credit
    """
    show(lambda: workflow.suspect(study, run=run, seed=seed, device=device), as_json)


@click.command()
@STUDY
@click.option("--run", help="Run whose model to ask about [default: the latest].")
@click.option("--row", "rows", type=click.IntRange(0), multiple=True, help="Row of the split; several times.")
@click.option("--file", "files", multiple=True, help="Image file to ask about, test/cat/043.jpg.")
@click.option("--all", "every_row", is_flag=True, help="Every row of the split, in shards; goes on where interrupted.")
@click.option("--split", help="Part of the data that rows count in [default: that of [evaluate]].")
@click.option("--method", default="last_layer", show_default=True, help="How; see the how-to page on influence.")
@click.option(
    "--n", type=click.IntRange(1), default=5, show_default=True, help="Training rows that help, and that harm."
)
@click.option("--nearest", type=click.IntRange(0), default=100, show_default=True, help="Ask only the nearest; 0: all.")
@computing
def influence(study: Path, every_row: bool, as_json: bool, **chosen: Any) -> None:
    """Say which training rows taught the predictions of rows, and which taught against them.

    It makes runs/…-influence. Without --row, --file or --all it asks about the surest wrong predictions.

    Example: corrigible influence credit --row 3
    """
    rows, files = chosen.pop("rows"), chosen.pop("files")
    if every_row and (rows or files):
        raise click.UsageError("--row and --file name single rows; leave out --all")
    show(
        lambda: (
            workflow.influence_all(study, **chosen)
            if every_row
            else workflow.influence(study, rows=rows, files=files, **chosen)
        ),
        as_json,
    )


@click.command()
@STUDY
@click.option("--run", help="Run whose model to look at [default: the latest].")
@click.option("--file", "files", multiple=True, help="Image file to look at, train/cat/043.jpg.")
@click.option("--row", "rows", type=click.IntRange(0), multiple=True, help="Row to look at [default: 50 drawn rows].")
@click.option("--split", default="train", show_default=True, help="Part of the data that rows count in.")
@click.option("--objects", default="", help="Segmentation model, module:function, whose objects join segments.")
@computing
def propose(study: Path, as_json: bool, **chosen: Any) -> None:
    """Propose regions on which predictions rest, to be marked with one click or command.

    It makes runs/…-propose and marks nothing: `feedback add` takes a region as it is printed.

    Example: corrigible propose credit --row 3
    """
    show(lambda: workflow.propose(study, **chosen), as_json)


@click.command()
@STUDY
@click.option("--run", help="Run whose model to look at [default: the latest].")
@click.option("--strategy", default="alike_after_medoids", show_default=True, help="See `corrigible methods`.")
@click.option("--count", type=click.IntRange(1), default=20, show_default=True, help="Number of rows.")
@click.option("--split", default="train", show_default=True, help="Part of the data.")
@computing
def queue(study: Path, as_json: bool, **chosen: Any) -> None:
    """List the rows to ask a person about next, and why.

    Rows that were answered or marked are passed over. Nothing is written.

    Example: corrigible queue credit --count 10
    """
    show(lambda: workflow.queue(study, **chosen), as_json)


@click.command()
@STUDY
@click.option("--run", help="Run whose model to look at [default: the latest].")
@click.option("--row", "rows", type=click.IntRange(0), multiple=True, help="Row to change [default: 20 drawn rows].")
@click.option("--target", default="", help="Class that is wanted [default: any other than the predicted one].")
@click.option("--below", type=float, help="For labels that are numbers: the prediction should be below this.")
@click.option("--above", type=float, help="For labels that are numbers: the prediction should be above this.")
@click.option("--keep", multiple=True, help="Column that stays as it is; may be given several times.")
@click.option("--k", type=click.IntRange(1, 100), default=1, show_default=True, help="Changes of each row.")
@click.option(
    "--starts", type=click.IntRange(1), default=2, show_default=True, help="More look further, and take longer."
)
@click.option(
    "--split", "splits", multiple=True, help="Part of the data [default: the recipe's; with --all every one]."
)
@click.option(
    "--all", "every_row", is_flag=True, help="Every row of every split, in shards; goes on where interrupted."
)
@click.option("--rows-per-shard", type=click.IntRange(1), help="With --all [default: 512].")
@computing
def counterfactuals(study: Path, every_row: bool, as_json: bool, **chosen: Any) -> None:
    """Find small changes of a table's rows with which the model would predict something else.

    It makes runs/…-counterfactuals with the changed rows, and says them in words. It reads [counterfactuals]: which
    columns may change, and how.

    Example: corrigible counterfactuals credit --row 3 --target yes --keep sex
    """
    rows, splits, size = chosen.pop("rows"), chosen.pop("splits"), chosen.pop("rows_per_shard")
    if every_row and rows:
        raise click.UsageError("--row names single rows; leave out --all")
    if not every_row and (size or len(splits) > 1):
        raise click.UsageError("--rows-per-shard and several --split need --all")
    show(
        lambda: (
            workflow.counterfactuals_all(study, splits=splits, rows_per_shard=size, **chosen)
            if every_row
            else workflow.counterfactuals(study, rows=rows, split=splits[0] if splits else None, **chosen)
        ),
        as_json,
    )
