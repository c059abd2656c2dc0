"""The verb that publishes results: report."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from corrigible.comparison import spoken
from corrigible.errors import StudyError
from corrigible.figures import short_number
from corrigible.folders import write_atomically
from corrigible.plots.style import spoken_method
from corrigible.progress import begun
from corrigible.recipe_keys import Heading, heading_of
from corrigible.reporting import Curve, HeatmapRow, ReportContent, ReportedModel, ReportTable, render
from corrigible.run_records import DISCARD, decisions
from corrigible.study import Run, Study, open_study
from corrigible.training import Epoch
from corrigible.types import Measurement
from corrigible.workflow.in_words import feedback_in_words, privacy_of, results_in_words
from corrigible.workflow.next_steps import next_steps
from corrigible.workflow.opening import changes_of, details, moved, opening
from corrigible.workflow.plotted import explanation_plots
from corrigible.workflow.plotted_certainty import certainty_plots
from corrigible.workflow.plotted_words import texts_of_rows
from corrigible.workflow.records import Finished
from corrigible.workflow.reproducing import all_feedback, commands
from corrigible.workflow.strongest_part import of_images, of_shares
from corrigible.workflow.study_problems import with_hash
from corrigible.workflow.task_words import TaskWords, words_in
from corrigible.workflow.tries import option_words
from corrigible.workflow.verdicts import feedback_seen, verdicts_on


def report(folder: Path) -> Iterator[Finished]:
    """Write report.html: the results of the latest evaluation, before and after the correction."""
    study = open_study(folder)
    target = study.folder / "report.html"
    begun("writing the report")
    write_atomically(target, with_hash(render(report_content(study, study.latest("evaluate"))).encode()))
    yield Finished("report", str(target), next=next_steps(folder, "report"))


def report_content(study: Study, evaluation: Run) -> ReportContent:
    evaluation.require_unchanged()
    # The recipe as it was when the models were measured; a report runs no code that it names.
    recipe = heading_of(evaluation.record["recipe"])
    results = results_in_words(evaluation.read("evaluation.json"), recipe.labels)
    models = tuple(_reported(model, results["class_names"]) for model in results["models"])
    runs = {run.name: run for run in study.runs()}
    compared = [_present(runs, name) for name in evaluation.record["models"]]
    corrected = next((run for run in compared if run.verb == "correct"), evaluation)
    seen, verdicts = feedback_in_words(feedback_seen(study, corrected), recipe.labels), verdicts_on(corrected, results)
    said, earlier = all_feedback(study, evaluation), set(all_feedback(study, corrected))
    measured = [Measurement(**change) for change in results["changes"]]
    words = words_in(results)
    heatmaps = _heatmaps(evaluation, results) if recipe.kind == "image" else ()
    changes = changes_of(models, [str(run.record.get("baseline", "")) for run in compared], measured)
    return ReportContent(
        title=recipe.title or study.folder.name,
        kind=recipe.kind,  # type: ignore[arg-type]
        created=datetime.fromisoformat(evaluation.record["created"]),
        opening=opening(verdicts[0], changes, seen, models[0].class_names, words) if verdicts else None,
        summary=(*details(verdicts, changes, words), *moved(results.get("shifts", []), words)),
        notes=(*recipe.notes, *_decision(study, corrected), *privacy_of(compared)),
        unit=words.unit,
        models=models,
        changes=tuple(measured),
        explanation=_explanation(recipe, words, results),
        map_explanation=_map_explanation(results, words, heatmaps),
        heatmaps=heatmaps,
        feature_shares=_shares(results["models"]),
        certainty=tuple(certainty_plots(evaluation, results)),
        plots=tuple(explanation_plots(evaluation, recipe.labels, results)),
        curves=tuple(Curve(spoken_method(run.label), tuple(_epochs(run))) for run in compared),
        feedback=tuple(feedback_in_words(said, recipe.labels)),
        later=tuple(feedback_in_words((found for found in said if found not in earlier), recipe.labels)),
        reproduce=tuple(commands(study, recipe.seed, [*compared, evaluation])),
        recipe=evaluation.record["recipe"],
        provenance=tuple(_provenance(evaluation, compared)),
    )


def _decision(study: Study, corrected: Run) -> Iterator[str]:
    """Who decided to keep or discard the correction, if anybody did."""
    found = decisions(run.record for run in study.runs()).get(corrected.name)
    if found is None:
        return
    by = f" by {found['author']}" if found.get("author") else ""
    note = f": {found['note']}" if found.get("note") else ""
    if found["verb"] == DISCARD:
        yield f"{corrected.name} was discarded{by} and is not in use{note}"
    else:
        yield f"{corrected.name} was kept{by}{note}"


def _present(runs: Mapping[str, Run], name: str) -> Run:
    """The unchanged run of that name."""
    if name not in runs:
        raise StudyError(f"{name} was evaluated and is gone; evaluate again, or put the run back")
    runs[name].require_unchanged()
    return runs[name]


def _reported(model: Mapping[str, Any], class_names: list[str]) -> ReportedModel:
    measurements = tuple(Measurement(**found) for found in model["measurements"])
    if model["confusion"] is None:
        errors = model["errors"]
        table = ReportTable(tuple(errors["header"]), tuple(map(tuple, errors["rows"]))) if errors else None
        return ReportedModel(model["name"], measurements, errors=table)
    names = class_names or [str(label) for label in range(len(model["confusion"]))]
    return ReportedModel(model["name"], measurements, np.array(model["confusion"]), tuple(names))


def _explanation(recipe: Heading, words: TaskWords, results: Mapping[str, Any]) -> str:
    what = "the label's score" if words.name == "classes" else f"the {words.score}"
    part = "word" if recipe.kind == "text" else "feature"
    said = of_shares((share for _, share in results["models"][0]["shares"]), part)
    return f"Attributions ({spoken(recipe.explainer)}) explain {what}. {said}".rstrip()


def _map_explanation(results: Mapping[str, Any], words: TaskWords, drawn: Sequence[HeatmapRow]) -> str:
    """What the maps of images show; empty for evaluations of older versions, whose maps are attributions."""
    patch = results.get("map_patch", 0)
    if not patch:
        return ""
    what = "the score of the label" if words.name == "classes" else f"the {words.score}"
    said = of_images(torch.stack([row.attribution_before for row in drawn])) if drawn else ""
    return (
        f"Each map shows how far {what} drops when a patch of {patch} × {patch} pixels there is covered. Red: what is "
        f"there raises the score. Blue: it lowers the score. {said}"
    )


def _heatmaps(evaluation: Run, results: Mapping[str, Any]) -> tuple[HeatmapRow, ...]:
    rows = load_file(evaluation.folder / "rows.safetensors")
    labels, predictions = texts_of_rows(rows, results)

    def row(place: int) -> HeatmapRow:
        second = "attribution.1" in rows
        return HeatmapRow(
            row=int(rows["row"][place]),
            source=_source(results, place),
            certainties=_certainties(results, place),
            x=rows["x"][place],
            label=labels[place],
            predicted_before=predictions[0][place],
            attribution_before=rows["attribution.0"][place],
            predicted_after=predictions[1][place] if second else None,
            attribution_after=rows["attribution.1"][place] if second else None,
            irrelevant=rows["irrelevant"][place],
            is_right_or_wrong=words_in(results).has_classes,
        )

    return tuple(row(place) for place in range(len(rows["row"])))


def _source(results: Mapping[str, Any], place: int) -> str:
    """The part of the data that a drawn row is from, its file and why it is shown, as far as they are known."""
    if "row_splits" not in results:
        return ""
    found = (results["row_files"][place], results["row_reasons"][place])
    return " · ".join([f"of {results['row_splits'][place]}", *(text for text in found if text)])


def _certainties(results: Mapping[str, Any], place: int) -> tuple[str, ...]:
    found = [model["row_certainties"][place] for model in results["models"] if "row_certainties" in model]
    return tuple(found[:2])


def _shares(models: list[Mapping[str, Any]]) -> tuple[tuple[str, float | None, float | None], ...]:
    before = dict(models[0]["shares"])
    after = dict(models[1]["shares"]) if len(models) > 1 else {}
    return tuple((feature, before[feature], after.get(feature)) for feature in before)


def _epochs(run: Run) -> Iterator[Epoch]:
    for line in (run.folder / "log.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record.pop("record") == "Epoch":
            yield Epoch(**record)


def _provenance(evaluation: Run, compared: list[Run]) -> Iterator[tuple[str, str]]:
    for run in (*compared, evaluation):
        parent = f", from {run.record['parent']}" if run.record.get("parent") else ""
        weights = run.record["files"].get("weights.safetensors")
        made = f"{spoken_method(run.label)}{parent}, seed {run.record['seed']}"
        yield run.name, made + (f", weights {weights}" if weights else "")
        if "options" in run.record:
            yield f"instead of the recipe, for {run.name}", " ".join(option_words(run.record["options"]))
        if "method_chosen" in run.record:
            yield f"chosen for {run.name}", spoken(run.record["method_chosen"])
        for penalty, weight in run.record.get("weights", {}).items():
            yield f"weight of {spoken(penalty)}", f"{short_number(weight)}, chosen by swap score"
    for run in (*compared, evaluation):
        if "feedback_revision" in run.record:
            yield f"feedback revision of {run.name}", str(run.record["feedback_revision"])
    yield from ((name, version) for name, version in evaluation.record["versions"].items())
