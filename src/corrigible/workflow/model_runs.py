"""The verbs that make models: train, and correct, which also makes the baselines."""

import shlex
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from corrigible.comparison import spoken
from corrigible.data.network_facts import model_facts
from corrigible.data.protocol import Dataset
from corrigible.feedback.masks import marks_of
from corrigible.models.building import facts_wanted
from corrigible.models.devices import device_named
from corrigible.objective import terms_of
from corrigible.progress import begun
from corrigible.protocols.corrections.correction import Progress, correction
from corrigible.protocols.corrections.mask_checks import FeedbackDoubted
from corrigible.protocols.corrections.usable_feedback import require_marked, usable_marks
from corrigible.protocols.corrections.verdict import Verdict
from corrigible.protocols.corrections.weight import MOST_TRIALS
from corrigible.protocols.schedule import accuracy_on, require_fit
from corrigible.protocols.training_facts import changes_of
from corrigible.recipe import Recipe, build_model
from corrigible.study import Study, open_study
from corrigible.training import Epoch
from corrigible.types import Feedback
from corrigible.workflow import baselines
from corrigible.workflow.forgotten import training
from corrigible.workflow.in_words import verdict_in_words
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
from corrigible.workflow.next_steps import next_steps
from corrigible.workflow.records import Ahead, Finished, Record, Started
from corrigible.workflow.results import corrected_in_words, privacy_in_words, trained_in_words, why_failed
from corrigible.workflow.tries import as_trained, tried
from corrigible.workflow.verdicts import FAILED


def train(folder: Path, *, seed: int | None = None, device: str = "cpu", epochs: int | None = None) -> Iterator[Record]:
    """Train the recipe's model on its training rows.

    Args:
        epochs: in place of those of the recipe's [train].
    """
    study = tried(open_study(folder), "train", epochs=epochs)
    seed = study.recipe.seed if seed is None else seed
    data = training(study).rows
    facts = {**model_facts(data, facts_wanted(study.recipe.model)), **reading_facts(study)}
    model = build_model(study.recipe, facts, seed).to(device_named(device))
    require_fit(model, data)
    rows = validation_rows(study)
    watched, schedule = accuracy_on(rows) if rows is not None else None, study.recipe.train
    yield Ahead("train", ("trained",), (schedule.epochs,))
    yield Started("train", "trained", len(data))
    begun("first batches")
    with study.new_run("train", label="trained", parent=None, seed=seed, device=device, facts=facts) as draft:
        progress = trained(study, model, data, schedule=schedule, watched=watched, seed=seed)
        for record in written(draft, returning(progress, model)):
            yield (last := record)
    result = trained_in_words(last if isinstance(last, Epoch) else None, rows) + privacy_in_words(draft.record)
    yield Finished("train", str(draft.published), result=result, next=next_steps(folder, "train"))


def correct(
    folder: Path,
    *,
    seed: int | None = None,
    device: str = "cpu",
    epochs: int | None = None,
    penalty: str = "",
    weight: float | str | None = None,
    only: Sequence[str] = (),
) -> Iterator[Record]:
    """Train the latest trained model again on the feedback, and then the recipe's baselines.

    The run keeps the verdict, also if the correction failed.

    Args:
        epochs, penalty, weight, only: in place of what the recipe says; see `tries.tried`.
    """
    study = tried(open_study(folder), "correct", epochs=epochs, penalty=penalty, weight=weight, only=only)
    parent = study.latest("train")
    study = as_trained(study, parent)
    seed = study.recipe.seed if seed is None else seed
    data, feedback, revision = _to_correct_with(study)
    model = load_model(parent, study.recipe).to(device_named(device))
    origin = {"parent": parent.name, "seed": seed, "device": device, "facts": parent.record["facts"]}
    yield _ahead(study.recipe)
    yield Started("correct", "corrected", len(data), len(marks_of(feedback, data).reviewed_rows(data)))
    begun("first batches")
    found: Verdict | None = None
    with study.new_run("correct", label="corrected", feedback_revision=revision, **origin) as draft:
        for record in written(draft, _verdict_first(_correction(study, model, data, feedback, seed))):
            found = record if isinstance(record, Verdict) else found
            yield verdict_in_words(record, study.recipe.labels) if isinstance(record, Verdict) else record
    assert draft.published is not None
    finished, origin = Finished("correct", str(draft.published)), {**origin, "correction": draft.published.name}
    for baseline in study.recipe.baselines:
        yield finished
        for made in baselines.made(study, baseline, model, feedback, origin):
            if isinstance(made, Finished):
                finished = made
            else:
                yield made
    yield _with_verdict(finished, found, study, privacy_in_words(draft.record))


def _to_correct_with(study: Study) -> tuple[Dataset, list[Feedback], int]:
    """The training rows, the feedback about them, and its revision.

    Raises:
        FeedbackError: feedback that the recipe's methods have no use for.
    """
    recipe = study.recipe
    data, _ = known = training(study)
    baselines.require_made(study, data)
    feedback, revision = training_feedback(study)
    feedback = known.about_kept(feedback)
    marks = usable_marks(feedback, data)
    terms, changes = terms_of(recipe.penalties or {}, may_be_auto=True), changes_of(recipe.augment or {})
    require_marked(marks, feedback, data, [*(term.method for term in terms), *changes])
    return data, feedback, revision


def _ahead(recipe: Recipe) -> Ahead:
    """The correction and its baselines."""
    epochs = recipe.correct.epochs
    auto = [term.name for term in terms_of(recipe.penalties or {}, may_be_auto=True) if term.is_auto]
    trials = f"before, up to {MOST_TRIALS} trials of {max(1, epochs // 2)} epochs choose the weight of "
    runs = {
        baseline.label or spoken(baseline.name): baselines.epochs_of(recipe, baseline) for baseline in recipe.baselines
    }
    note = trials + ", and as many that of ".join(auto) if auto else ""
    return Ahead("correct", ("corrected", *runs), (epochs, *runs.values()), note)


def _correction(
    study: Study, model: nn.Module, data: Dataset, feedback: list[Feedback], seed: int
) -> Generator[Progress, None, nn.Module]:
    recipe = study.recipe
    return correction(
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


def _with_verdict(finished: Finished, found: Verdict | None, study: Study, privacy: str) -> Finished:
    """The last record, with what came out and what to do next."""
    steps = next_steps(study.folder, "correct")
    if found is None:
        return replace(finished, result=privacy.removeprefix("; "), next=steps)
    if found.outcome == FAILED:
        how, where = study.recipe.correct, shlex.quote(str(study.folder))
        steps = why_failed(found, epochs=how.epochs, learning_rate=how.learning_rate, where=where)
    return replace(finished, result=corrected_in_words(found) + privacy, next=steps)


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
