"""The commands that make an evaluation's numbers again in a fresh folder, feedback included."""

import shlex
from collections.abc import Iterator, Sequence

from corrigible.run_records import FORGET
from corrigible.study import Run, Study
from corrigible.trusted_code import code_named
from corrigible.types import Feedback
from corrigible.workflow.tries import option_words

AGAIN = "again"
"""The folder that the study is made again in."""
FEEDBACK, LATER = "feedback.json", "feedback_later.json"
"""What the correction was made with, and what had been given when it was measured; sealed folders hold them too."""


def all_feedback(study: Study, run: Run) -> list[Feedback]:
    """All feedback as it was when the run was made, about rows of any part of the data."""
    with study.feedback() as store:
        return [said for _, said in store.at_revision(run.record["feedback_revision"])]


def commands(study: Study, usual_seed: int, runs: Sequence[Run]) -> Iterator[str]:
    """The commands, to be run beside the study's folder; the last of the runs is the evaluation."""
    where = shlex.quote(study.folder.resolve().name)
    evaluation = runs[-1]
    yield from _copied(study, where, evaluation)
    said: list[Feedback] = []
    for run in (*_before(study, runs[0]), *runs):
        if run.verb in ("correct", "evaluate"):
            seen = all_feedback(study, run)
            if seen != said:
                file = LATER if run.verb == "evaluate" and said else FEEDBACK
                revision = run.record["feedback_revision"]
                yield f"corrigible feedback export {where} {file} --revision {revision}"
                yield f"corrigible feedback import {AGAIN} {file}"
            said = seen
        if run.verb != "baseline":  # `correct` makes them too.
            yield _command(run, usual_seed)
    yield f"corrigible report {AGAIN}"


def _before(study: Study, run: Run) -> list[Run]:
    """The runs from which a model was made that has forgotten rows, the first one first."""
    found: list[Run] = []
    while run.verb == FORGET:
        run = study.run_named(str(run.record["parent"]))
        found.insert(0, run)
    return found


def _copied(study: Study, where: str, evaluation: Run) -> Iterator[str]:
    """The recipe and the data in a folder of their own."""
    yield f"mkdir {AGAIN}"
    if evaluation.record["recipe"] == study.recipe_text:
        yield f"cp {where}/recipe.toml {AGAIN}/"
    else:
        yield f"# write the recipe below into {AGAIN}/recipe.toml: that of the study has changed since"
    if (study.folder / "data").is_dir():
        yield f"cp -R {where}/data {AGAIN}/"
    if code_named(evaluation.record["recipe"]):
        yield f"corrigible trust {AGAIN}"


def _command(run: Run, usual_seed: int) -> str:
    seed, device = run.record["seed"], run.record.get("device", "cpu")
    options = [f"corrigible {run.verb} {AGAIN}", *option_words(run.record.get("options", {}))]
    options += [f"--seed {seed}"] * (seed != usual_seed) + [f"--device {device}"] * (device != "cpu")
    return " ".join(options)
