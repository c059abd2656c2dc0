"""The verbs that make models: train, and correct, which also makes the baselines."""

from collections.abc import Generator, Iterator
from pathlib import Path

from torch import nn

from corrigible.data.network_facts import model_facts
from corrigible.models.devices import device_named
from corrigible.objective import terms_of
from corrigible.protocols.corrections.correction import Progress, correction
from corrigible.protocols.corrections.mask_checks import FeedbackDoubted
from corrigible.protocols.corrections.usable_feedback import require_marked, usable_marks
from corrigible.protocols.schedule import require_fit
from corrigible.protocols.training_facts import changes_of
from corrigible.recipe import build_model, load_data
from corrigible.study import open_study
from corrigible.workflow import baselines
from corrigible.workflow.making import (
    load_model,
    reading_facts,
    returning,
    trained,
    training_feedback,
    validation_rows,
    watch,
    written,
)
from corrigible.workflow.records import Finished, Record, Started


def train(folder: Path, *, seed: int | None = None, device: str = "cpu") -> Iterator[Record]:
    """Train the recipe's model on its training rows."""
    study = open_study(folder)
    seed = study.recipe.seed if seed is None else seed
    data = load_data(study.recipe, study.folder, "train")
    facts = {**model_facts(data), **reading_facts(study)}
    model = build_model(study.recipe, facts, seed).to(device_named(device))
    require_fit(model, data)
    watched = watch(study)
    yield Started("train", "trained", len(data))
    with study.new_run("train", label="trained", parent=None, seed=seed, device=device, facts=facts) as draft:
        progress = trained(study, model, data, schedule=study.recipe.train, watched=watched, seed=seed)
        yield from written(draft, returning(progress, model))
    yield Finished("train", str(draft.published))


def correct(folder: Path, *, seed: int | None = None, device: str = "cpu") -> Iterator[Record]:
    """Train the latest trained model again on the feedback, and then the recipe's baselines.

    The run keeps the verdict, also if the correction failed.
    """
    study = open_study(folder)
    recipe = study.recipe
    parent = study.latest("train")
    seed = recipe.seed if seed is None else seed
    data = load_data(recipe, study.folder, "train")
    baselines.require_made(study, data)
    feedback, revision = training_feedback(study)
    marks = usable_marks(feedback, data)
    terms, changes = terms_of(recipe.penalties or {}, may_be_auto=True), changes_of(recipe.augment or {})
    learning = [*(term.method for term in terms), *changes]
    require_marked(marks, feedback, data, learning)
    model = load_model(parent, recipe).to(device_named(device))
    origin = {"parent": parent.name, "seed": seed, "device": device, "facts": parent.record["facts"]}
    validation, watched = validation_rows(study), watch(study)
    yield Started("correct", "corrected", len(data), len(marks.reviewed_rows(data)))
    with study.new_run("correct", label="corrected", feedback_revision=revision, **origin) as draft:
        corrected = correction(
            model,
            data,
            feedback,
            augment=recipe.augment,
            penalties=recipe.penalties,
            schedule=recipe.correct,
            validation=validation,
            watch=watched,
            seed=seed,
        )
        yield from written(draft, _verdict_first(corrected))
    assert draft.published is not None
    yield Finished("correct", str(draft.published))
    for baseline in recipe.baselines:
        yield from baselines.made(study, baseline, model, feedback, {**origin, "correction": draft.published.name})


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
