"""The verbs that make models: train, and correct, which also makes the baselines."""

import copy
import dataclasses
import json
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from corrigible.data.dataset import Dataset, rows_of, shape_of, strata_of, tokens_of
from corrigible.data.network_facts import model_facts
from corrigible.errors import DataError, FeedbackError, RecipeError, StudyError
from corrigible.feedback.masks import marks_of, said_about
from corrigible.models.weights import load_weights, save_weights
from corrigible.objective import terms_of
from corrigible.protocols.baselines import BASELINE_SETTINGS, Baseline, MaskedInputs, marked_anywhere
from corrigible.protocols.correction import Progress, correction, require_marked
from corrigible.protocols.defaults import MethodChosen
from corrigible.protocols.doubts import FeedbackDoubted
from corrigible.protocols.group_dro import NEEDS_GROUPS, group_dro
from corrigible.protocols.just_train_twice import just_train_twice
from corrigible.protocols.last_layer_retraining import last_layer_retraining
from corrigible.protocols.schedule import Schedule, accuracy_on, require_fit, run
from corrigible.protocols.training_facts import Known, augments_of, changes_of, provided
from corrigible.protocols.verdict import Verdict
from corrigible.protocols.weight import WeightChoice
from corrigible.recipe import Recipe, build_model, load_data
from corrigible.study import Draft, Run, Study, open_study
from corrigible.training import Epoch
from corrigible.types import Feedback
from corrigible.workflow.devices import device_named
from corrigible.workflow.records import Finished, Record, Started

FROM_TRAINED = ("fine_tuned", "last_layer_retraining")
"""Baselines that start from the trained model; the others start from fresh weights."""


def train(folder: Path, *, seed: int | None = None, device: str = "cpu") -> Iterator[Record]:
    """Train the recipe's model on its training rows."""
    study = open_study(folder)
    seed = study.recipe.seed if seed is None else seed
    data = load_data(study.recipe, study.folder, "train")
    facts = model_facts(data)
    model = build_model(study.recipe, facts, seed).to(device_named(device))
    require_fit(model, data)
    yield Started("train", "trained", len(data))
    with study.new_run("train", label="trained", parent=None, seed=seed, device=device, facts=facts) as draft:
        progress = _trained(study, model, data, study.recipe.train, seed)
        yield from _written(draft, _returning(progress, model))
    yield Finished("train", str(draft.published))


def _trained(study: Study, model: nn.Module, data: Dataset, schedule: Schedule, seed: int) -> Iterator[Epoch]:
    """Train as the recipe says, with the penalties and augmentations of training itself."""
    recipe, known = study.recipe, Known(model, data, marks_of([], data), seed)
    terms = provided(terms_of(recipe.train_penalties), known)
    augment = augments_of(changes_of(recipe.train_augment), known)
    return run(model, data, schedule, penalties=terms, augment=augment, validation=watch(study), seed=seed)


def correct(folder: Path, *, seed: int | None = None, device: str = "cpu") -> Iterator[Record]:
    """Train the latest trained model again on the feedback, and then the recipe's baselines.

    The run keeps the verdict, also if the correction failed.
    """
    study = open_study(folder)
    recipe = study.recipe
    parent = study.latest("train")
    seed = recipe.seed if seed is None else seed
    data = load_data(recipe, study.folder, "train")
    _require_made(study, data)
    feedback, revision = training_feedback(study)
    marks = marks_of(feedback, data)
    terms, changes = terms_of(recipe.penalties or {}, may_be_auto=True), changes_of(recipe.augment or {})
    require_marked(marks, feedback, strata_of(data), [*(term.method for term in terms), *changes])
    model = load_model(parent).to(device_named(device))
    origin = {"parent": parent.name, "seed": seed, "device": device, "facts": parent.record["facts"]}
    yield Started("correct", "corrected", len(data), len(marks.reviewed_rows(data)))
    with study.new_run("correct", label="corrected", feedback_revision=revision, **origin) as draft:
        corrected = correction(
            model,
            data,
            feedback,
            augment=recipe.augment,
            penalties=recipe.penalties,
            schedule=recipe.correct,
            validation=validation_rows(study),
            watch=watch(study),
            seed=seed,
        )
        yield from _written(draft, _verdict_first(corrected))
    assert draft.published is not None
    yield Finished("correct", str(draft.published))
    for baseline in recipe.baselines:
        yield from _baseline(study, baseline, model, feedback, {**origin, "correction": draft.published.name})


def _require_made(study: Study, data: Dataset) -> None:
    """Raises RecipeError or DataError for a baseline that cannot be made with this data."""
    baselines = study.recipe.baselines
    for baseline in baselines:
        rows = data if baseline.split == "train" else load_data(study.recipe, study.folder, baseline.split)
        if baseline.name == "group_dro" and rows_of(rows, torch.tensor([0])).group is None:
            raise DataError(NEEDS_GROUPS)
    if tokens_of(data) is not None and any(baseline.name == "masked_inputs" for baseline in baselines):
        raise RecipeError(
            "the baseline masked_inputs hides the same inputs of every row, but words stand elsewhere in each text; "
            "leave it out for texts: the baseline fine_tuned and the metric flip_rate serve them"
        )


def training_feedback(study: Study) -> tuple[list[Feedback], int]:
    """The feedback that is about training rows or every row, and the store's revision.

    Raises:
        FeedbackError: there is none.
    """
    with study.feedback() as store:
        revision = store.revision
        said = said_about((feedback for _, feedback in store.at_revision(revision)), "train")
    if not said:
        raise FeedbackError(
            f"no feedback in {study.folder}; expected at least one marked region: "
            f"`corrigible feedback add {study.folder} …`, then correct"
        )
    return said, revision


def load_model(run: Run) -> nn.Module:
    """The run's network with its weights.

    Raises:
        StudyError: the run has no model, or has changed since it was finished.
        DataError: weights of another network.
    """
    if "weights.safetensors" not in run.record["files"]:
        raise StudyError(f"{run.name} holds no model; name a run of train, correct or a baseline")
    run.require_unchanged()
    model = build_model(Recipe.parse(run.record["recipe"]), run.record["facts"], 0)
    if run.record.get("baseline") == "masked_inputs":
        model = MaskedInputs(model, run.record["input_shape"])
    load_weights(model, run.folder / "weights.safetensors")
    return model


def _baseline(
    study: Study, baseline: Baseline, trained: nn.Module, feedback: list[Feedback], origin: dict[str, Any]
) -> Iterator[Record]:
    """Make a baseline, trained for as many epochs in all as the corrected model."""
    recipe, seed = study.recipe, origin["seed"]
    data = load_data(recipe, study.folder, baseline.split)
    label = baseline.label or baseline.name
    facts: dict[str, Any] = {"label": label, "baseline": baseline.name, **origin}
    model = copy.deepcopy(trained)
    if baseline.name not in FROM_TRAINED:
        model = build_model(recipe, origin["facts"], seed)
    if baseline.name == "masked_inputs":
        shape = list(shape_of(data))
        marks = marks_of(feedback, load_data(recipe, study.folder, "train"))
        model, facts = MaskedInputs(model, shape), {**facts, "input_shape": shape}
        model.hide(marked_anywhere(marks.irrelevant))
    model = model.to(device_named(origin["device"]))
    yield Started("baseline", label, len(data))
    with study.new_run("baseline", **facts) as draft:
        yield from _written(draft, _made(study, baseline, model, data, seed))
    yield Finished("baseline", str(draft.published))


def _made(
    study: Study, baseline: Baseline, model: nn.Module, data: Dataset, seed: int
) -> Generator[Progress, None, nn.Module]:
    """The protocol that makes the baseline, from the trained model or from fresh weights."""
    recipe, watched = study.recipe, watch(study)
    schedule = recipe.correct
    if baseline.name not in FROM_TRAINED:
        schedule = dataclasses.replace(recipe.train, epochs=recipe.train.epochs + recipe.correct.epochs)
    if baseline.name == "last_layer_retraining":
        return last_layer_retraining(model, data, schedule=schedule, seed=seed)
    settings = {name: getattr(baseline, name) for name, owner in BASELINE_SETTINGS.items() if owner == baseline.name}
    if baseline.name == "group_dro":
        return group_dro(model, data, schedule=schedule, watch=watched, seed=seed, **settings)
    if baseline.name == "just_train_twice":
        return just_train_twice(model, data, schedule=schedule, watch=watched, seed=seed, **settings)
    if baseline.name in FROM_TRAINED:
        return _returning(run(model, data, schedule, validation=watched, seed=seed), model)
    return _returning(_trained(study, model, data, schedule, seed), model)


def _verdict_first(progress: Generator[Progress, None, nn.Module]) -> Generator[Progress, None, nn.Module]:
    """The same records with doubts about the feedback last, because people want the verdict first."""
    held: list[Progress] = []
    while True:
        try:
            record = next(progress)
        except StopIteration as finished:
            yield from held
            return finished.value  # type: ignore[no-any-return]
        if isinstance(record, FeedbackDoubted):
            held.append(record)
        else:
            yield record


def _written(draft: Draft, progress: Generator[Progress, None, nn.Module]) -> Iterator[Progress]:
    """Yield the progress records, log them, and save the model that is returned."""
    save_weights((yield from logged(draft, progress)), draft.folder / "weights.safetensors")


def logged(draft: Draft, progress: Generator[Progress, None, Any]) -> Generator[Progress, None, Any]:
    """Yield and log the progress records, and return the result; choices and verdict also go into the run's record."""
    with (draft.folder / "log.jsonl").open("w", encoding="utf-8") as log:
        while True:
            try:
                record = next(progress)
            except StopIteration as finished:
                return finished.value
            log.write(json.dumps({"record": type(record).__name__, **dataclasses.asdict(record)}) + "\n")
            if isinstance(record, WeightChoice):
                draft.record.setdefault("weights", {})[record.penalty] = record.weight
            if isinstance(record, MethodChosen):
                draft.record["method_chosen"] = record.message
            if isinstance(record, Verdict):
                draft.record["verdict"] = dataclasses.asdict(record)
            yield record


def _returning(progress: Iterator[Progress], model: nn.Module) -> Generator[Progress, None, nn.Module]:
    yield from progress
    return model


def watch(study: Study) -> Any:
    rows = validation_rows(study)
    return accuracy_on(rows) if rows is not None else None


def validation_rows(study: Study) -> Dataset | None:
    """The rows to watch and to judge corrections on; None if the recipe names none."""
    split = study.recipe.validation_split
    return load_data(study.recipe, study.folder, split) if split else None
