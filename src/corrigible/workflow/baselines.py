"""The baselines of a correction: each is a kind, which says where it starts and how it is trained."""

import copy
import dataclasses
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import nn

from corrigible.comparison import spoken
from corrigible.data.dataset import rows_of, shape_of
from corrigible.data.protocol import Dataset, tokens_of
from corrigible.errors import DataError, RecipeError
from corrigible.feedback.masks import marks_of
from corrigible.models.devices import device_named
from corrigible.objective import Term, terms_of
from corrigible.protocols.baselines.group_dro import NEEDS_GROUPS, group_dro
from corrigible.protocols.baselines.just_train_twice import just_train_twice
from corrigible.protocols.baselines.last_layer_retraining import last_layer_retraining
from corrigible.protocols.baselines.recipe_baseline import BASELINE_SETTINGS, Baseline, MaskedInputs, marked_anywhere
from corrigible.protocols.corrections.correction import Progress
from corrigible.protocols.schedule import Schedule, run
from corrigible.protocols.training_facts import own_terms
from corrigible.recipe import Recipe, build_model, load_data
from corrigible.study import Study
from corrigible.types import Feedback
from corrigible.workflow.forgotten import training
from corrigible.workflow.making import returning, trained, watch, written
from corrigible.workflow.records import Finished, Record, Started

Made = Generator[Progress, None, nn.Module]


@dataclass(frozen=True)
class Making:
    """What a baseline is made from."""

    study: Study
    model: nn.Module
    """The trained model, or one with fresh weights."""
    data: Dataset
    schedule: Schedule
    seed: int


class BaselineKind(NamedTuple):
    """A kind of baseline."""

    starts: Literal["trained", "fresh"]
    """From the trained model or from fresh weights; then it is trained for as many epochs as both trainings have."""
    make: Callable[..., Made]
    """(making, **settings) -> a generator of epochs that returns the model."""


def _trained_on(making: Making) -> Made:
    model, data, seed = making.model, making.data, making.seed
    terms = own_terms(_own(making), model, data, seed)
    watched = watch(making.study)
    return returning(run(model, data, making.schedule, penalties=terms, validation=watched, seed=seed), model)


def _own(making: Making) -> list[Term]:
    """The penalties of the network's own objective, as the correction has them, or else as training had them.

    A weight that the correction chooses is 1 here.
    """
    recipe = making.study.recipe
    terms = [*terms_of(recipe.train_penalties), *terms_of(recipe.penalties or {}, may_be_auto=True)]
    own = {term.name: term for term in terms if term.declaration.is_own}
    return [dataclasses.replace(term, weight=1.0) if term.is_auto else term for term in own.values()]


def _trained_anew(making: Making) -> Made:
    study, seed = making.study, making.seed
    epochs = trained(study, making.model, making.data, schedule=making.schedule, watched=watch(study), seed=seed)
    return returning(epochs, making.model)


def _last_layer(making: Making) -> Made:
    shared: dict[str, Any] = {"schedule": making.schedule, "penalties": _own(making), "seed": making.seed}
    return last_layer_retraining(making.model, making.data, **shared)


def _by(protocol: Callable[..., Made]) -> Callable[..., Made]:
    """A protocol with settings of its own."""

    def make(making: Making, **settings: Any) -> Made:
        shared: dict[str, Any] = {"schedule": making.schedule, "watch": watch(making.study), "seed": making.seed}
        return protocol(making.model, making.data, penalties=_own(making), **shared, **settings)

    return make


KINDS: dict[str, BaselineKind] = {
    "fine_tuned": BaselineKind("trained", _trained_on),
    "masked_inputs": BaselineKind("fresh", _trained_anew),
    "retrained": BaselineKind("fresh", _trained_anew),
    "group_dro": BaselineKind("fresh", _by(group_dro)),
    "just_train_twice": BaselineKind("fresh", _by(just_train_twice)),
    "last_layer_retraining": BaselineKind("trained", _last_layer),
}


def require_made(study: Study, data: Dataset) -> None:
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


def epochs_of(recipe: Recipe, baseline: Baseline) -> int:
    """For how many epochs the baseline is trained, the extra ones of just_train_twice included."""
    if KINDS[baseline.name].starts == "trained":
        return recipe.correct.epochs
    extra = baseline.identification_epochs if baseline.name == "just_train_twice" else 0
    return recipe.train.epochs + recipe.correct.epochs + extra


def made(
    study: Study, baseline: Baseline, uncorrected: nn.Module, feedback: list[Feedback], origin: dict[str, Any]
) -> Iterator[Record]:
    """Make a baseline, trained for as many epochs in all as the corrected model."""
    recipe, seed, kind = study.recipe, origin["seed"], KINDS[baseline.name]
    data = _rows(study, baseline.split)
    label = baseline.label or spoken(baseline.name)
    facts: dict[str, Any] = {"label": label, "baseline": baseline.name, **origin}
    model, schedule = copy.deepcopy(uncorrected), recipe.correct
    if kind.starts == "fresh":
        model = build_model(recipe, origin["facts"], seed)
        schedule = dataclasses.replace(recipe.train, epochs=recipe.train.epochs + recipe.correct.epochs)
    if baseline.name == "masked_inputs":
        model, facts = _masked(study, model, data, feedback), {**facts, "input_shape": list(shape_of(data))}
    making = Making(study, model.to(device_named(origin["device"])), data, schedule, seed)
    settings = {name: getattr(baseline, name) for name, owner in BASELINE_SETTINGS.items() if owner == baseline.name}
    yield Started("baseline", label, len(data))
    with study.new_run("baseline", **facts) as draft:
        yield from written(draft, kind.make(making, **settings))
    yield Finished("baseline", str(draft.published))


def _rows(study: Study, split: str) -> Dataset:
    """The rows of the split; of those to train on none that was forgotten."""
    return training(study).rows if split == "train" else load_data(study.recipe, study.folder, split)


def _masked(study: Study, model: nn.Module, data: Dataset, feedback: list[Feedback]) -> MaskedInputs:
    """The model without the inputs that are marked on any training row."""
    marks = marks_of(feedback, training(study).rows)
    masked = MaskedInputs(model, list(shape_of(data)))
    masked.hide(marked_anywhere(marks.irrelevant))
    return masked
