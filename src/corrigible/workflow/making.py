"""What the verbs that make models share: training, logging, saving and loading them."""

import dataclasses
import json
from collections.abc import Generator, Iterator
from typing import Any

from torch import nn

from corrigible.data.kept_reading import kept_identity
from corrigible.data.protocol import Dataset
from corrigible.errors import DataError, FeedbackError, StudyError
from corrigible.feedback.masks import marks_of, said_about
from corrigible.models.weights import load_weights, save_weights
from corrigible.objective import terms_of
from corrigible.protocols.baselines.recipe_baseline import MaskedInputs
from corrigible.protocols.corrections.correction import Progress
from corrigible.protocols.corrections.defaults import MethodChosen
from corrigible.protocols.corrections.verdict import Verdict
from corrigible.protocols.corrections.weight import WeightChoice
from corrigible.protocols.fairness.enforced import Enforced
from corrigible.protocols.privacy.spent import spent_from
from corrigible.protocols.schedule import Schedule, Validation, accuracy_on, run
from corrigible.protocols.training_facts import Known, augments_of, changes_of, provided
from corrigible.recipe import Recipe, build_model, load_data
from corrigible.study import Draft, Run, Study
from corrigible.training import Epoch
from corrigible.types import Feedback


def trained(
    study: Study, model: nn.Module, data: Dataset, *, schedule: Schedule, watched: Validation | None, seed: int
) -> Iterator[Epoch]:
    """Train as the recipe says, with the penalties and augmentations of training itself."""
    recipe, known = study.recipe, Known(model, data, marks_of([], data), seed)
    terms = provided(terms_of(recipe.train_penalties), known)
    augment = augments_of(changes_of(recipe.train_augment), known)
    return run(model, data, schedule, penalties=terms, augment=augment, validation=watched, seed=seed)


def training_feedback(study: Study) -> tuple[list[Feedback], int]:
    """The feedback that is about training rows or every row, and the store's revision.

    Raises:
        FeedbackError: there is none.
    """
    with study.feedback() as store:
        revision = store.revision
        said = said_about((feedback for _, feedback in store.at_revision(revision)), "train")
    if not said and _only_closes_a_gap(study.recipe):
        raise FeedbackError(
            f"no feedback in {study.folder}, and the recipe's penalty closes a gap alone: give feedback, too, "
            "or use `enforce` in Python; a number as weight closes it in training, written [[train.penalty]]"
        )
    if not said:
        raise FeedbackError(
            f"no feedback in {study.folder}; expected at least one marked region: "
            f"`corrigible feedback add {study.folder} …`, then correct"
        )
    return said, revision


def _only_closes_a_gap(recipe: Recipe) -> bool:
    terms = terms_of(recipe.penalties or {}, may_be_auto=True)
    return bool(terms) and not recipe.augment and all(term.declaration.gap is not None for term in terms)


def load_model(run: Run, recipe: Recipe | None = None) -> nn.Module:
    """The run's network with its weights.

    Args:
        recipe: that of the data that the network will see; None if it will see none.

    Raises:
        StudyError: the run has no model, has changed since it was finished, or was trained for another task.
        DataError: weights of another network.
    """
    if "weights.safetensors" not in run.record["files"]:
        raise StudyError(f"{run.name} holds no model; name a run of train, correct or a baseline")
    run.require_unchanged()
    if not isinstance(run.record.get("facts"), dict):
        raise StudyError(f"{run.folder}/run.json lacks the facts about its model; the run is damaged: put back a copy")
    trained_by = run.recipe
    if recipe is not None and _meaning(trained_by) != _meaning(recipe):
        raise StudyError(
            f"{run.name} was trained with [task] {_meaning(trained_by)}, and recipe.toml now says {_meaning(recipe)}: "
            "its outputs mean something else; train again"
        )
    if recipe is not None:
        _require_same_reading(run, recipe)
    model = build_model(trained_by, run.record["facts"], 0)
    if run.record.get("baseline") == "masked_inputs":
        model = MaskedInputs(model, run.record["input_shape"])
    load_weights(model, run.folder / "weights.safetensors")
    if spent := run.record.get("privacy"):
        model.privacy = spent_from(spent)  # type: ignore[assignment]
    return model


def reading_facts(study: Study) -> dict[str, str]:
    """What a run keeps of how a study's table is read: an identity, so that another reading is noticed."""
    if study.recipe.kind != "table" or study.recipe.source is not None:
        return {}
    return {"table_reading": kept_identity(study.folder / "data")}


def _require_same_reading(run: Run, recipe: Recipe) -> None:
    """Raises StudyError if the study's table is now read otherwise than when the run's network was trained."""
    before = run.record["facts"].get("table_reading")
    now = kept_identity(run.folder.parent.parent / "data") if before and recipe.kind == "table" else ""
    if before and now and before != now:
        raise StudyError(
            f"{run.name} was trained when data/train.csv, or [data] in recipe.toml, was another: its columns mean "
            "something else now; put them back, or train again"
        )


def _meaning(recipe: Recipe) -> dict[str, Any]:
    """The recipe's task, without what only people read."""
    return {key: value for key, value in (recipe.task or {"name": "classes"}).items() if key != "unit"}


def written(draft: Draft, progress: Generator[Progress, None, nn.Module]) -> Iterator[Progress]:
    """Yield the progress records, log them, and save the model that is returned."""
    model = yield from logged(draft, progress)
    if (spent := getattr(model, "privacy", None)) is not None:
        draft.record["privacy"] = spent.as_record()
    save_weights(model, draft.folder / "weights.safetensors")


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
            if isinstance(record, Enforced):
                draft.record["enforced"] = {"said": record.line, "ruin": record.ruin, "weight": record.weight}
            if isinstance(record, Verdict):
                draft.record["verdict"] = dataclasses.asdict(record)
            yield record


def returning(progress: Iterator[Progress], model: nn.Module) -> Generator[Progress, None, nn.Module]:
    yield from progress
    return model


def watch(study: Study) -> Validation | None:
    """What is watched after each epoch: how well the model does on the validation rows, if the recipe names any."""
    rows = validation_rows(study)
    return accuracy_on(rows) if rows is not None else None


def validation_rows(study: Study) -> Dataset | None:
    """The rows to watch and to judge corrections on; None if the recipe names none.

    Raises:
        DataError: there are no such rows.
    """
    split = study.recipe.validation_split
    try:
        return load_data(study.recipe, study.folder, split) if split else None
    except DataError as error:
        raise DataError(f"validation_split is {split!r}: {error}; or remove that line from recipe.toml") from error
