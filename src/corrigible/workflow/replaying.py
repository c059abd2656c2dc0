"""Repeat the evaluation of a sealed model, on the data of its study."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from corrigible import sealing
from corrigible.errors import SealError
from corrigible.evaluation import measure
from corrigible.feedback.masks import said_about
from corrigible.files import MOST_RESULTS, hashes_in, read_text
from corrigible.models.weights import load_weights
from corrigible.progress import begun
from corrigible.recipe import load_data, metrics_of
from corrigible.sealing.attestations import read_attestation
from corrigible.sealing.evidence import measurements_as_rows
from corrigible.strict_json import parse
from corrigible.study import Run, Study, open_study
from corrigible.types import Measurement
from corrigible.workflow.attacking import PRIVACY, ROBUSTNESS, attacks_of
from corrigible.workflow.backgrounds import with_background
from corrigible.workflow.making import load_model
from corrigible.workflow.measuring import gathered
from corrigible.workflow.sealing_models import sealed_run

Rows = Sequence[Mapping[str, Any]]


def replay_problems(target: Path, verified: sealing.Verification, folder: Path, *, tolerance: float) -> Iterator[str]:
    """A line for each measurement of the seal that is not found again, and for each reason why none can be.

    The weights are those of the sealed folder; recipe, code and data are those of the study, which runs what its recipe
    names. Measurements are repeated with the seed and the feedback of the evaluation that was sealed.

    Args:
        verified: of the sealed folder, which must be as it was sealed.
        tolerance: most difference of a measurement, as a multiple of its size or of 1, whichever is larger.

    Raises:
        SealError: the study has not the sealed run, or not the evaluation that was sealed.
        UntrustedError: the study's recipe runs code that nobody said to trust.
    """
    study, sealed = open_study(folder), _sealed_rows(target, verified)
    run = sealed_run(study, target)
    evaluation = _evaluation_of(study, run, sealed)
    problems = list(_inputs(study, evaluation))
    if problems:
        yield from problems
        return
    begun("repeating the sealed evaluation")
    again = measurements_as_rows(_measured_again(study, run, evaluation, target))
    yield from _differing(sealed, again, tolerance)


def _sealed_rows(target: Path, verified: sealing.Verification) -> Rows:
    """The measurements of the newest attestation; of a seal without any, of its file."""
    number = len(verified.heads) - 1
    if number:
        rows: Rows = read_attestation(target, number).predicate["measurements"] or ()
    else:
        rows = parse(read_text(target / "measurements.json", most=MOST_RESULTS))["measurements"]
    if not rows:
        raise SealError(f"{target} holds no measurements, so that there is nothing to repeat")
    return rows


def _evaluation_of(study: Study, run: Run, sealed: Rows) -> Run:
    """The study's newest evaluation that measured what was sealed."""
    for evaluation in reversed([each for each in study.runs() if each.verb == "evaluate"]):
        models = {model["run"]: model for model in evaluation.read("evaluation.json")["models"]}
        found = [Measurement(**each) for each in models[run.name]["measurements"]] if run.name in models else []
        if measurements_as_rows(found) == list(sealed):
            evaluation.require_unchanged()
            return evaluation
    raise SealError(f"{study.folder} has no evaluation with the sealed measurements; name the study it was sealed from")


def _inputs(study: Study, evaluation: Run) -> Iterator[str]:
    """What is not as it was for the evaluation, so that repeating it would show nothing."""
    if study.recipe_text != evaluation.record["recipe"]:
        yield f"replay: recipe.toml is not as it was for {evaluation.name}; put it back"
    expected, found = evaluation.record.get("data", {}), hashes_in(study.folder / "data")
    for name in sorted({*expected, *found}):
        if expected.get(name) != found.get(name):
            yield f"replay: data/{name} is not as it was for {evaluation.name}; put it back"


def _measured_again(study: Study, run: Run, evaluation: Run, target: Path) -> list[Measurement]:
    recipe, seed = with_background(study), evaluation.record["seed"]
    data = load_data(recipe, study.folder, recipe.evaluate.split)
    with study.feedback() as store:
        at_revision = store.at_revision(evaluation.record["feedback_revision"])
        feedback = said_about((feedback for _, feedback in at_revision), recipe.evaluate.split)
    model = load_model(run, recipe)
    load_weights(model, target / sealing.WEIGHTS)
    metrics = metrics_of(recipe, data)
    observations = gathered(recipe, model, data, feedback, metrics, seed)
    found = measure(observations, metrics, num_resamples=recipe.evaluate.num_resamples, seed=seed)
    options = evaluation.record.get("options", {})
    asked = tuple(name for name in (PRIVACY, ROBUSTNESS) if options.get(name))
    if asked:
        found += attacks_of(study, recipe, data, asked, seed).on(model)
    return found


def _differing(sealed: Rows, again: Rows, tolerance: float) -> Iterator[str]:
    found = {(row["metric"], row["part"]): row for row in again}
    for row in sealed:
        name = f"{row['metric']} of {row['part']}" if row["part"] else row["metric"]
        other = found.pop((row["metric"], row["part"]), None)
        if other is None:
            yield f"replay: {name} was sealed, and is not measured now"
            continue
        for part in ("value", "low", "high", "count"):
            if not _is_near(row[part], other[part], tolerance):
                yield f"replay: {part} of {name} was sealed as {row[part]}, and is {other[part]} now"
    for metric, part in found:
        yield f"replay: {metric} {part} is measured now, and was not sealed".replace("  ", " ")


def _is_near(sealed: Any, now: Any, tolerance: float) -> bool:
    if isinstance(sealed, str) or isinstance(now, str) or sealed is None or now is None:
        return bool(sealed == now)
    return bool(abs(sealed - now) <= tolerance * max(1.0, abs(sealed)))
