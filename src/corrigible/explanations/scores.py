"""The one number per row that is explained.

Most scores are about a class, and read the model's outputs as logits. `target_output` and `target_value` are about a
number of the output, whatever it means. A target of shape (batch, 2) asks why the first rather than the second: the
score of the first minus that of the second.
"""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.nn.functional import log_softmax, one_hot

from corrigible.errors import RecipeError, unknown
from corrigible.explanations.projections import MemberProjection, RandomProjection, of_classes_alone
from corrigible.methods import name_of
from corrigible.models.forward import Forward, Score
from corrigible.outputs import class_logits
from corrigible.types import Task


def contrastive(score: Callable[[Tensor, Tensor], Tensor]) -> Score:
    """The score, extended to pairs: the score of the first target minus that of the second."""

    @wraps(score)
    def of_one_or_two(outputs: Tensor, target: Tensor) -> Tensor:
        if target.ndim == 1:
            return score(outputs, target)
        return score(outputs, target[:, 0]) - score(outputs, target[:, 1])

    return of_one_or_two


def of_classes(score: Callable[[Tensor, Tensor], Tensor]) -> Score:
    """The score, which reads outputs as one logit per class (`class_logits`)."""

    @wraps(score)
    def of_outputs(outputs: Tensor, target: Tensor) -> Tensor:
        return score(class_logits(outputs), target)

    return of_outputs


@contrastive
def target_output(outputs: Float[Tensor, " batch output"], target: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """The number of the output that the target names, as the model gives it."""
    return outputs.gather(1, target[:, None])[:, 0]


@dataclass(frozen=True)
class TargetValue:
    """One of the task's values, in the unit of the labels: a mean, a rate, a quantile or a probability."""

    task: Task

    def __call__(
        self, outputs: Float[Tensor, " batch output"], target: Int[Tensor, " batch *contrast"]
    ) -> Float[Tensor, " batch"]:
        return target_output(self.task.values(outputs), target)


@dataclass(frozen=True)
class ClassScore:
    """A score of classes, of outputs that are not logits themselves."""

    task: Task
    score: Score

    def __call__(
        self, outputs: Float[Tensor, " batch output"], target: Int[Tensor, " batch *contrast"]
    ) -> Float[Tensor, " batch"]:
        assert self.task.logits is not None
        return self.score(self.task.logits(outputs), target)


@of_classes
@contrastive
def target_logit(logits: Float[Tensor, " batch num_classes"], target: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """The logit of the target class."""
    return logits.gather(1, target[:, None])[:, 0]


@of_classes
@contrastive
def target_log_prob(
    logits: Float[Tensor, " batch num_classes"], target: Int[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    """The log-probability of the target class: minus the cross-entropy."""
    return log_softmax(logits, dim=1).gather(1, target[:, None])[:, 0]


@of_classes
@contrastive
def target_prob(logits: Float[Tensor, " batch num_classes"], target: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """The probability of the target class."""
    return logits.softmax(dim=1).gather(1, target[:, None])[:, 0]


@of_classes
def predicted_logit(
    logits: Float[Tensor, " batch num_classes"], target: Int[Tensor, " batch *contrast"]
) -> Float[Tensor, " batch"]:
    """The largest logit, that of the predicted class, whatever the target."""
    return logits.max(dim=1).values


@of_classes
def summed_log_prob(
    logits: Float[Tensor, " batch num_classes"], target: Int[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    """The log-probabilities of all classes, summed (Ross, Hughes and Doshi-Velez 2017, equation 1)."""
    return log_softmax(logits, dim=1).sum(dim=1)


@of_classes
@contrastive
def margin(logits: Float[Tensor, " batch num_classes"], target: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """The target's logit minus the largest logit of another class."""
    is_target = one_hot(target, logits.shape[1]).bool()
    other = logits.masked_fill(is_target, -torch.inf).amax(dim=1)
    return target_logit(logits, target) - other


@dataclass(frozen=True)
class SummedLogProb:
    """The log-probabilities of some classes, summed."""

    classes: tuple[int, ...]

    def __call__(
        self, outputs: Float[Tensor, " batch output"], target: Int[Tensor, " batch"]
    ) -> Float[Tensor, " batch"]:
        return of_classes_alone(log_softmax(class_logits(outputs), dim=1), self.classes).sum(dim=1)


@dataclass(frozen=True)
class StandardOutput:
    """The standardised output of a task without classes."""

    task: Task

    def __call__(
        self, outputs: Float[Tensor, " batch output"], target: Shaped[Tensor, " batch *any"]
    ) -> Float[Tensor, " batch"]:
        return self.task.standard(outputs).sum(dim=1)


SCORES = {
    f.__name__: f
    for f in (target_logit, target_log_prob, target_prob, predicted_logit, summed_log_prob, margin, target_output)
}
OF_CLASSES = tuple(name for name in SCORES if name != "target_output")
"""Scores that read the outputs as one logit per class."""
OF_ALL_CLASSES = ("summed_log_prob", "random_projection", "member_projection")
"""Scores made of the log-probabilities of all classes; all other scores are about one class per row."""
OF_OUTPUTS = ("target_output", "target_value")
"""Scores that every task has."""
PROJECTIONS: dict[str, Any] = {"random_projection": RandomProjection, "member_projection": MemberProjection}
"""Scores that take draws from the pass."""
SCORE_NAMES = (*SCORES, "random_projection")
"""Scores of any model; `MemberProjection` is of ensembles alone, and for penalties."""
IN_WORDS = {
    "target_logit": "logit",
    "target_log_prob": "log-probability",
    "target_prob": "probability",
    "predicted_logit": "largest logit",
    "summed_log_prob": "sum of the log-probabilities",
    "margin": "margin",
    "target_output": "value",
    "target_value": "predicted value",
}
"""Scores as they are called in front of "of class 1"."""


def reads_classes(score: object) -> bool:
    """Whether it is a score of classes, by name or as a function of this file; False for a user's own function."""
    if isinstance(score, str):
        return score not in OF_OUTPUTS
    return isinstance(score, SummedLogProb) or any(score is SCORES[name] for name in OF_CLASSES)


def name_of_score(score: str | Score) -> str:
    """The score's name, for people to read."""
    if isinstance(score, TargetValue):
        return "target_value"
    return name_of(score.score if isinstance(score, ClassScore) else score)


def score_in_words(score: str | Score) -> str:
    """The score in words, for people who read results; a user's own function by its name."""
    name = score if isinstance(score, str) else name_of_score(score)
    return IN_WORDS.get(name, name)


def score_for(chosen: str | Score | None, task: Task) -> str | Score:
    """The score to explain for a task: the chosen one, or by default the task's own.

    Raises:
        RecipeError: an unknown score, or a score of classes for a task without classes.
    """
    name = task.score if chosen is None else chosen
    if name == "target_value":
        return TargetValue(task)
    if not isinstance(name, str):
        name = next((known for known, of in SCORES.items() if of is name), name)
    if not isinstance(name, str) or task.name == "classes" or name == "target_output":
        return name
    if task.logits is None or name not in SCORES:
        known = OF_OUTPUTS if task.logits is None else (*SCORES, "target_value")
        raise RecipeError(f"the task {task.name!r}: {unknown('score', name, known)}")
    return ClassScore(task, SCORES[name])


def plain_score(name: str | Score) -> Score:
    """The score of that name, for scores that need no random draws; a function stays as it is.

    Raises:
        RecipeError: no score has that name.
    """
    if not isinstance(name, str):
        return name
    if name not in SCORES:
        raise RecipeError(unknown("score", name, SCORES))
    return SCORES[name]


def score_named(name: str | Score, forward: Forward, *, classes: Sequence[int] | None = None) -> Score:
    """The score of that name; a random projection takes its draws from the pass. A function stays as it is.

    For a pass whose task has no classes, every score of classes is the standardised output, or a random projection of
    several of them.

    Args:
        classes: which log-probabilities enter a score that is made of all of them; None for all. Scores of one class
            ignore it; see `rows_about`.

    Raises:
        RecipeError: no score has that name.
    """
    if not isinstance(name, str):
        return name
    chosen, task = None if classes is None else tuple(sorted(set(classes))), forward.task
    if name in PROJECTIONS:
        found: Score = PROJECTIONS[name](weakref.ref(forward), chosen)
        return found
    if name not in SCORES:
        raise RecipeError(unknown("score", name, SCORE_NAMES))
    if task.logits is None and name != "target_output":
        # Several outputs could cancel in a sum.
        return StandardOutput(task) if task.num_outputs == 1 else RandomProjection(weakref.ref(forward))
    score = SummedLogProb(chosen) if name == "summed_log_prob" and chosen is not None else SCORES[name]
    return score if task.name == "classes" or name == "target_output" else ClassScore(task, score)


def rows_about(
    name: str, forward: Forward, target: Int[Tensor, " batch"], classes: Sequence[int] | None
) -> Bool[Tensor, " batch"] | None:
    """True for each row whose score is about one of these classes; None if every row's is.

    Raises:
        RecipeError: no classes, or one that the model does not have.
    """
    if classes is None:
        return None
    num_classes = forward.logits.shape[1]  # Raises for a task without classes.
    if not classes or not all(isinstance(label, int) and 0 <= label < num_classes for label in classes):
        raise RecipeError(f"classes are {list(classes)}; expected at least one of 0 to {num_classes - 1}, or leave out")
    if name in OF_ALL_CLASSES:
        return None
    about = forward.logits.argmax(dim=1) if name == "predicted_logit" else target
    return torch.isin(about, torch.tensor(list(classes), device=about.device))
