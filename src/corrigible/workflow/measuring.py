"""The verb that measures models: evaluate."""

import dataclasses
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from corrigible.comparison import is_improvement, unit_of
from corrigible.data.dataset import rows_of, task_of
from corrigible.data.protocol import Dataset, class_names_of, columns_of, tokens_of
from corrigible.data.shown_names import in_words, tell_unused
from corrigible.evaluation import difference, measure, observations_for
from corrigible.feedback.masks import said_about
from corrigible.models.batch_size import rows_that_fit
from corrigible.models.devices import device_named
from corrigible.models.modes import evaluating, like_parameters
from corrigible.observations import Observations, gather
from corrigible.progress import begun
from corrigible.protocols.corrections.verdict import Verdict
from corrigible.recipe import Recipe, load_data, metrics_of
from corrigible.regions.shifts import Shift
from corrigible.run_records import discarded
from corrigible.study import Draft, Run, Study, open_study
from corrigible.types import Feedback, Measurement
from corrigible.workflow.attacking import PRIVACY, ROBUSTNESS, Attacks, attacks_of
from corrigible.workflow.backgrounds import with_background
from corrigible.workflow.examples import Shown, examples_for
from corrigible.workflow.explained_features import explained_features, keep_features
from corrigible.workflow.explained_rows import explained_by, explained_rows, keep
from corrigible.workflow.explained_words import WORDS_FILE
from corrigible.workflow.explaining import attribution_of, explained_target, in_parts, of_words, shares_of
from corrigible.workflow.forgotten import training
from corrigible.workflow.in_words import verdict_in_words
from corrigible.workflow.making import load_model
from corrigible.workflow.next_steps import next_steps
from corrigible.workflow.plotted_certainty import certainty_of, keep_certainty
from corrigible.workflow.records import Finished, Measured
from corrigible.workflow.results import evaluated_in_words
from corrigible.workflow.row_texts import errors_table, explained_texts, label_texts, outputs_of
from corrigible.workflow.task_words import words_of
from corrigible.workflow.verdicts import shifts_on_split, verdict_on_split


def evaluate(
    folder: Path, *, privacy: bool = False, robustness: bool = False, seed: int | None = None, device: str = "cpu"
) -> Iterator[Verdict | Shift | Measured | Finished]:
    """Measure the latest trained model, its latest correction and that correction's baselines on the same rows.

    The verdict on the correction comes first, then the regions that the corrected model relies on more than before.

    Args:
        privacy, robustness: also measure what attackers reach with each model: which training rows and attributes they
            tell, and how often changes of inputs fool it.
    """
    study = open_study(folder)
    recipe = with_background(study)
    seed = recipe.seed if seed is None else seed
    data = load_data(recipe, study.folder, recipe.evaluate.split)
    tell_unused(recipe.labels, columns_of(data), class_names_of(data) or ())
    feedback, revision = feedback_about(study, recipe.evaluate.split)
    compared = models_to_compare(study)
    options = {name: True for name, asked in ((PRIVACY, privacy), (ROBUSTNESS, robustness)) if asked}
    record = {"parent": compared[-1].name, "seed": seed, "device": device, "feedback_revision": revision}
    record |= {"options": options} if options else {}
    with study.new_run("evaluate", models=[run.name for run in compared], **record) as draft:
        found, moved = _of_correction(study, compared, data, feedback, device=device, seed=seed)
        named = (dataclasses.replace(shift, region=in_words(shift.region, recipe.labels)) for shift in moved)
        told = None if found is None else verdict_in_words(found, recipe.labels)
        yield from (record for record in (told, *named) if record is not None)
        written = {
            "class_names": class_names_of(data),
            "task": dataclasses.asdict(words_of(task_of(data), class_names_of(data))),
            "verdict": None if found is None else dataclasses.asdict(found),
            "shifts": [dataclasses.asdict(shift) for shift in moved],
        }
        attacks = attacks_of(study, recipe, data, tuple(options), seed) if options else None
        evaluated = _Evaluated(recipe, data, feedback, compared, seed, device, revision, attacks)
        results = yield from _measured(evaluated)
        changes = _as_dicts(evaluated.changes)
        shown = _examples(study, evaluated, results)
        explained = explained_rows(data)
        texts = {**shown.facts, "explained_labels": label_texts(data, explained["row"])}
        texts |= explained_texts(recipe, evaluated.explained, data, explained["row"])
        draft.write_json("evaluation.json", {**written, **texts, "models": results, "changes": changes})
        (draft.folder / "rows.safetensors").write_bytes(save(dict(shown.tensors)))
        if shown.words:
            draft.write_json(WORDS_FILE, shown.words)
        keep_certainty(draft, evaluated.certainty)
        _keep_explanations(draft, evaluated, explained)
    result = evaluated_in_words(evaluated.told, data)
    yield Finished("evaluate", str(draft.published), result=result, next=next_steps(folder, "evaluate"))


def _of_correction(
    study: Study, compared: list[Run], data: Dataset, feedback: list[Feedback], **how: Any
) -> tuple[Verdict | None, list[Shift]]:
    """The verdict on the correction and what it relies on more than before; nothing if there is none."""
    if not any(run.verb == "correct" for run in compared):
        return None, []
    about = (study, compared, data)
    train = training(study).rows
    return verdict_on_split(*about, feedback, train=train, **how), shifts_on_split(*about, train=train, **how)


@dataclass
class _Evaluated:
    """The models and rows of an evaluation, and its results besides the measurements."""

    recipe: Recipe
    data: Dataset
    feedback: list[Feedback]
    compared: list[Run]
    seed: int
    device: str
    revision: int
    """Of the feedback."""
    attacks: Attacks | None = None
    """None if none was asked for."""
    explained: dict[int, nn.Module] = field(default_factory=dict)
    """Models whose explanations are plotted, by their number."""
    predicted: list[Tensor] = field(default_factory=list)
    """What these models predict of every row."""
    certainty: dict[str, Tensor] = field(default_factory=dict)
    """How sure these models are of every row, and whether they are right."""
    changes: list[Measurement] = field(default_factory=list)
    """The changes from the trained model to its correction."""
    told: list[Measured] = field(default_factory=list)
    """The measurements of all models until now."""


def _measured(evaluated: _Evaluated) -> Generator[Measured, None, list[dict[str, Any]]]:
    """Yield each measurement; return the record of each model."""
    recipe, data, feedback, seed = evaluated.recipe, evaluated.data, evaluated.feedback, evaluated.seed
    metrics, settings = (
        metrics_of(recipe, data),
        {"num_resamples": recipe.evaluate.num_resamples, "seed": seed},
    )
    results: list[dict[str, Any]] = []
    first: Observations | None = None
    for place, run in enumerate(evaluated.compared):
        begun(f"measuring the model {run.label}")
        model = load_model(run, evaluated.recipe).to(device_named(evaluated.device))
        observations = gathered(recipe, model, data, feedback, metrics, seed)
        measurements = [*measure(observations, metrics, **settings)]
        measurements += [] if evaluated.attacks is None else evaluated.attacks.on(model)
        first = first or observations
        if run.verb == "correct":
            evaluated.changes = difference(first, observations, metrics, **settings)
        better = {(change.metric, change.part): is_improvement(change) for change in evaluated.changes}
        for found in measurements:
            is_better = better.get((found.metric, found.part)) if run.verb == "correct" else None
            unit = unit_of(found.metric, words_of(task_of(data), ()).unit)
            told = Measured(run.label, **dataclasses.asdict(found), unit=unit, is_better=is_better)
            evaluated.told.append(told)
            yield told
        if run.verb != "baseline":
            evaluated.explained[place] = model
            evaluated.predicted.append(observations.everywhere["predicted"].cpu())
            evaluated.certainty |= certainty_of(observations, task_of(data), place)
        made = {"measurements": _as_dicts(measurements), **_predictions(model, data, observations)}
        made["shares"] = _shares_of_labels(recipe, model, data, seed)
        results.append({"name": run.label, "run": run.name, **made})
    return results


def _examples(study: Study, evaluated: _Evaluated, results: list[dict[str, Any]]) -> Shown:
    """The rows that the report shows one by one; what models predict of them is added to their results."""
    with study.feedback() as store:
        said = [feedback for _, feedback in store.at_revision(evaluated.revision)]
    shown = examples_for(
        study, evaluated.recipe, evaluated.data, said, evaluated.predicted, evaluated.explained, evaluated.seed
    )
    for place, predictions in shown.predictions.items():
        results[place] |= predictions
    return shown


def models_to_compare(study: Study) -> list[Run]:
    """The latest trained model, its latest correction that was not discarded, and the baselines of that correction."""
    trained = study.latest("train")
    made = [run for run in study.runs() if run.record.get("parent") == trained.name]
    left_out = discarded(run.record for run in study.runs())
    corrected = [run for run in made if run.verb == "correct" and run.name not in left_out][-1:]
    names = {run.name for run in corrected}
    return [trained, *corrected, *(run for run in made if run.record.get("correction") in names)]


def feedback_about(study: Study, split: str) -> tuple[list[Feedback], int]:
    """The feedback about every row, about a class, or about rows of this split; and the store's revision."""
    with study.feedback() as store:
        revision = store.revision
        return said_about((feedback for _, feedback in store.at_revision(revision)), split), revision


def gathered(
    recipe: Recipe, model: nn.Module, data: Dataset, feedback: list[Feedback], metrics: Sequence[str], seed: int
) -> Observations:
    """The observations that these metrics ask for, with the recipe's explainer."""
    with evaluating(model):
        batch_size = rows_that_fit(model, like_parameters(rows_of(data, torch.tensor([0])).x, model))
    return gather(
        model,
        data,
        names=observations_for(metrics),
        feedback=feedback,
        method=recipe.explain.method,
        explainer_settings=recipe.explain.settings,
        num_donors=recipe.evaluate.num_donors,
        batch_size=batch_size,
        seed=seed,
    )


def _as_dicts(measurements: list[Measurement]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(found) for found in measurements]


def _confusion(observations: Observations) -> list[list[int]]:
    """The number of rows by label (rows) and predicted class (columns)."""
    y, predicted = observations.everywhere["y"], observations.everywhere["predicted"]
    num_classes = observations.everywhere["probs"].shape[1]
    counts = (y * num_classes + predicted).bincount(minlength=num_classes**2)
    return counts.view(num_classes, num_classes).tolist()


def _predictions(model: nn.Module, data: Dataset, observations: Observations) -> dict[str, Any]:
    """What was predicted over all rows: the confusion matrix, or the table of errors."""
    is_of_classes = task_of(data).logits is not None
    return {
        "confusion": _confusion(observations) if is_of_classes else None,
        "errors": None if is_of_classes else errors_table(outputs_of(model, data), data),
    }


def _keep_explanations(draft: Draft, evaluated: _Evaluated, rows: dict[str, Tensor]) -> None:
    """Write the data for the report's plots of the explained models, which are numbered as in the evaluation."""
    recipe, models, data, seed = evaluated.recipe, evaluated.explained, evaluated.data, evaluated.seed
    by_model = {place: explained_by(recipe, model, rows, data, seed) for place, model in models.items()}
    rows |= {f"{name}.{place}": values for place, found in by_model.items() for name, values in found.items()}
    columns = columns_of(data)
    keep(draft, rows, columns)
    if columns is not None:
        keep_features(draft, explained_features(recipe, models, rows, columns, seed, task_of(data)))


def _shares_of_labels(recipe: Recipe, model: nn.Module, data: Dataset, seed: int) -> list[tuple[str, float]]:
    """The share of each feature or word in attributions to the labels or predictions; empty for data without either."""
    if columns_of(data) is None and tokens_of(data) is None:
        return []
    explained = ((rows, explained_target(model, rows, seed)) for rows in in_parts(data))
    parts = (of_words(attribution_of(recipe, model, rows, target, seed), rows) for rows, target in explained)
    return shares_of(parts, data)
