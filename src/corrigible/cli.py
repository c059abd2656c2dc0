"""The command line: parse the arguments, call the verb, print the records that it yields."""

from pathlib import Path
from typing import Any

import click

from corrigible import __version__, demos, workflow
from corrigible.cli_feedback import feedback
from corrigible.cli_looking import audit, counterfactuals, influence, propose, queue, suspect
from corrigible.cli_options import AUTHOR, EPOCHS, JSON, STUDY, Commands, Numbers, Place, Weight, computing, deciding
from corrigible.cli_sealing import attest, diff, keygen, seal, verify
from corrigible.terminal import is_failure, show


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Neural networks you can correct: train, explain, review, correct, evaluate, seal.

    Each command works on a study: a folder with a recipe.toml, to which it adds a run, and says what to do next.
    """


@main.command()
@click.argument("name", type=click.Choice(sorted(demos.DEMOS)))
@click.argument("folder", type=Place(file_okay=False), required=False)
@computing
def demo(name: str, folder: Path | None, seed: int | None, device: str, as_json: bool) -> None:
    """Run the whole loop on real data, into FOLDER [default: demo-studies/NAME].

    It trains, explains, marks, corrects, evaluates, reports, seals and verifies.

    Example: corrigible demo digits
    """
    target = folder or Path("demo-studies") / name
    show(lambda: demos.run(name, target, seed=seed, device=device), as_json)


@main.command()
@STUDY
@click.option("--kind", help="Kind of data: image, table or text [default: that of the files in STUDY/data, or image].")
@JSON
def init(study: Path, kind: str | None, as_json: bool) -> None:
    """Make a study folder with a commented recipe that fits the files in STUDY/data.

    It makes STUDY/recipe.toml, which says what the study is about, and the folders data and runs.

    Example: corrigible init credit --kind table
    """
    show(lambda: workflow.init(study, kind=kind), as_json)


@main.command()
@STUDY
@JSON
def trust(study: Path, as_json: bool) -> None:
    """Trust the code that the recipe names: read the recipe first, it is a program.

    Needed for a study from somebody else whose recipe names module:function. Nothing is run.

    Example: corrigible trust credit
    """
    show(lambda: workflow.trust(study), as_json)


@main.command()
@STUDY
@EPOCHS
@computing
def train(study: Path, as_json: bool, **chosen: Any) -> None:
    """Train the recipe's model.

    It makes runs/…-train with the weights. It reads [data], [task], [model], [train] and validation_split.

    Example: corrigible train credit --epochs 5
    """
    show(lambda: workflow.train(study, **chosen), as_json)


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
    """Explain a model's predictions row by row.

    It makes runs/…-explain with an attribution for each row. It reads [explain]: method, split and settings.

    Example: corrigible explain credit --run 0001-train
    """
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
@EPOCHS
@click.option("--penalty", default="", help="For one try: this method instead of the recipe's; or an augmentation.")
@click.option("--weight", type=Weight(), help="For one try: the weight of the penalty, a number or auto.")
@click.option("--only", multiple=True, help="Make this baseline alone, or none; may be given several times.")
@computing
def correct(study: Path, as_json: bool, **chosen: Any) -> None:
    """Train again on the feedback given so far; exit with 1 where the correction failed.

    It makes runs/…-correct with the corrected weights and a verdict, then runs/…-baseline for each [[baseline]]. It
    reads [correct], [[augment]], [[penalty]] and [[baseline]]. The options are for one try: the run records them, the
    recipe stays as it is.

    Example: corrigible correct credit --penalty right_reasons --weight 10 --only none
    """
    show(lambda: workflow.correct(study, **chosen), as_json, is_problem=is_failure)


@main.command()
@STUDY
@click.option(
    "--only",
    "--method",
    "methods",
    multiple=True,
    help="A penalty or augmentation; several times for several; all for all [default: the usual one].",
)
@EPOCHS
@computing
def compare(study: Path, as_json: bool, **chosen: Any) -> None:
    """Correct with several methods on the same feedback: one table and one plot.

    It makes a run for each method, and comparison.html. It reads [correct]. By default it compares the usual method
    with training on without feedback, in at most the time of three corrections; --only all takes much longer.

    Example: corrigible compare credit --only transplant --only right_reasons
    """
    show(lambda: workflow.compare(study, **chosen), as_json)


@main.command()
@STUDY
@click.option(
    "--rows", "given", type=Numbers(), multiple=True, help="Training rows from 0, as 3 or 3-17; several times."
)
@click.option("--label", help="In place of --rows: all rows of this class, by name or number.")
@click.option("--why", required=True, help="The reason, which is recorded.")
@click.option("--method", default="hybrid", show_default=True, help="A method of unlearning.")
@AUTHOR
@computing
def forget(study: Path, given: tuple[Any, ...], as_json: bool, **chosen: Any) -> None:
    """Let the trained model forget training rows, from which no later run learns.

    It makes runs/…-forget with the weights, which take the place of the trained ones, and records positions and hashes
    of the rows, the reason, and what it did to forgotten and kept rows. The rows stay in STUDY/data until you take
    them out. Exit with 1 if the model lost too much on kept rows; then forget them again with another --method.

    Example: corrigible forget credit --rows 17 --rows 40-45 --why "request 2026-113"
    """
    show(lambda: workflow.forget(study, rows=given, **chosen), as_json, is_problem=is_failure)


@main.command()
@STUDY
@click.option("--privacy", is_flag=True, help="Also attack: which training rows, and what of people, is told.")
@click.option("--robustness", is_flag=True, help="Also attack: how often changes of inputs fool the models.")
@computing
def evaluate(study: Path, as_json: bool, **chosen: Any) -> None:
    """Measure the models before and after on the same rows.

    It makes runs/…-evaluate: the verdict on these rows, and a table of models and metrics. It reads [evaluate].

    Example: corrigible evaluate credit --robustness
    """
    show(lambda: workflow.evaluate(study, **chosen), as_json)


@main.command()
@STUDY
@JSON
def report(study: Path, as_json: bool) -> None:
    """Write report.html from the latest evaluation.

    One file that needs no network: what was asked, what came out, figures and how to repeat it.

    Example: corrigible report credit
    """
    show(lambda: workflow.report(study), as_json)


@main.command()
@deciding
def keep(study: Path, run: str, author: str, note: str, as_json: bool) -> None:
    """Say that a correction is to be used; a run records who says so.

    Example: corrigible keep credit --author Ada
    """
    show(lambda: workflow.keep(study, run=run, author=author, note=note), as_json)


@main.command()
@deciding
def discard(study: Path, run: str, author: str, note: str, as_json: bool) -> None:
    """Say that a correction is not to be used: all commands then pass over it. Nothing is deleted.

    Example: corrigible discard credit --run 0003-correct --note "forgot the scanner's mark"
    """
    show(lambda: workflow.discard(study, run=run, author=author, note=note), as_json)


@main.command()
@STUDY
@click.option("--port", type=click.IntRange(1, 65535), help="Port on this computer [default: 8765, or a free one].")
@click.option("--author", default="", help="Who reviews; it can be changed on the page.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@JSON
def review(study: Path, port: int | None, author: str, no_browser: bool, as_json: bool) -> None:
    """Look at items in the browser, say what must not matter, correct, and see what changed.

    It serves a page on this computer alone until Ctrl-C. What is said goes into the study's feedback at once.

    Example: corrigible review credit --author Ada
    """
    from corrigible.web import serving  # Loads the web server, which no other command needs.

    about = {"port": port, "author": author, "opens_browser": not no_browser}
    show(lambda: serving.review(study, **about), as_json, is_work=False)  # type: ignore[arg-type]


@main.command()
@JSON
def methods(as_json: bool) -> None:
    """List every explainer, score, penalty, task, metric and model with its settings.

    Example: corrigible methods | grep penalty
    """
    show(workflow.methods, as_json)


for command in (audit, suspect, influence, propose, queue, counterfactuals, feedback):
    main.add_command(command)
for command in (keygen, seal, attest, verify, diff):
    main.add_command(command)
