"""What the model of a run was trained to minimise, as `influence` takes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from corrigible.data.protocol import Dataset
from corrigible.errors import StudyError
from corrigible.feedback.masks import said_about
from corrigible.objective import terms_of
from corrigible.protocols.corrections.defaults import default_method
from corrigible.protocols.corrections.usable_feedback import usable_marks
from corrigible.protocols.schedule import Schedule
from corrigible.recipe import Recipe, build_model
from corrigible.run_records import FORGET
from corrigible.study import Run, Study
from corrigible.types import Feedback
from corrigible.workflow.making import load_model
from corrigible.workflow.tries import tried

KINDS = ("train", "correct", FORGET)


@dataclass(frozen=True)
class Minimised:
    """The objective of a run, and what of it cannot be told to `influence`."""

    schedule: Schedule
    penalties: Mapping[str, Any]
    feedback: tuple[Feedback, ...] | None
    seed: int
    changes: tuple[str, ...]
    """The augmentations by which rows were changed in training."""

    @property
    def settings(self) -> dict[str, Any]:
        """Those of `influence`."""
        feedback = None if self.feedback is None or not self.penalties else list(self.feedback)
        return {"schedule": self.schedule, "penalties": self.penalties, "feedback": feedback, "seed": self.seed}

    @property
    def doubts(self) -> tuple[str, ...]:
        if not self.changes:
            return ()
        return (
            f"the model was trained on rows that {', '.join(self.changes)} changed; influence does not follow that and "
            "counts them as they are",
        )


def minimised(study: Study, run: Run, data: Dataset, forgotten: frozenset[int]) -> Minimised:
    """The objective of a run of train, correct or forget.

    Args:
        data: the training rows, by the numbers that people name them by.
        forgotten: those on which feedback is left out.

    Raises:
        StudyError: a run of another verb.
    """
    if run.verb not in KINDS or run.record.get("baseline"):
        raise StudyError(f"{run.name} was trained by another objective; expected a run of train, correct or forget")
    recipe, seed = _recipe_of(study, run), int(run.record["seed"])
    if run.verb != "correct":
        return Minimised(recipe.train, recipe.train_penalties, None, seed, tuple(recipe.train_augment))
    with study.feedback() as store:
        said = said_about((one for _, one in store.at_revision(run.record["feedback_revision"])), "train")
    said = [one for one in said if one.scope != "row" or one.row not in forgotten]
    augment, penalties = _methods(recipe, data, said)
    weights = run.record.get("weights", {})
    penalties = {name: _with_weight(settings, weights.get(name)) for name, settings in penalties.items()}
    return Minimised(recipe.correct, penalties, tuple(said), seed, tuple(augment))


def _recipe_of(study: Study, run: Run) -> Recipe:
    """The recipe by which the run was made, with the options that stood in its place."""
    options = run.record.get("options", {}) if run.verb != FORGET else {}
    return tried(study.with_recipe(run.recipe, {}), "correct" if run.verb == "correct" else "train", **options).recipe


def _methods(recipe: Recipe, data: Dataset, said: list[Feedback]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The augmentations and penalties of a correction, by default those that fit the feedback."""
    penalties, augment = dict(recipe.penalties or {}), dict(recipe.augment or {})
    terms = terms_of(penalties, may_be_auto=True)
    only_close_gaps = bool(terms) and not augment and all(term.declaration.gap is not None for term in terms)
    if (recipe.augment is None and recipe.penalties is None) or only_close_gaps:
        chosen = default_method(data, usable_marks(said, data))
        return chosen.augment, {**chosen.penalties, **penalties}
    return augment, penalties


def start_of(study: Study, run: Run) -> nn.Module:
    """The network before the run trained it."""
    if run.verb == "correct":
        return load_model(study.run_named(str(run.record["parent"])))
    return build_model(run.recipe, run.record["facts"], int(run.record["seed"]))


def _with_weight(settings: Mapping[str, Any], weight: float | None) -> Mapping[str, Any]:
    """The settings of a penalty with the weight that was chosen, if it was."""
    if weight is None:
        return settings
    return {name: value for name, value in settings.items() if name != "gap"} | {"weight": weight}
