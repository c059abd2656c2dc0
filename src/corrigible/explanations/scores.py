"""The one number per row that is explained.

A target of shape (batch, 2) asks why the first class rather than the second: the score of the first minus that of the
second.
"""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import log_softmax, one_hot

from corrigible.errors import RecipeError, unknown
from corrigible.models.forward import Forward, Score


def contrastive(score: Callable[[Tensor, Tensor], Tensor]) -> Score:
    """The score, extended to pairs of classes: the score of the first minus that of the second."""

    @wraps(score)
    def of_one_or_two(logits: Tensor, target: Tensor) -> Tensor:
        if target.ndim == 1:
            return score(logits, target)
        return score(logits, target[:, 0]) - score(logits, target[:, 1])

    return of_one_or_two


@contrastive
def target_logit(logits: Float[Tensor, " batch num_classes"], target: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """The logit of the target class."""
    return logits.gather(1, target[:, None])[:, 0]


@contrastive
def target_log_prob(
    logits: Float[Tensor, " batch num_classes"], target: Int[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    """The log-probability of the target class: minus the cross-entropy."""
    return log_softmax(logits, dim=1).gather(1, target[:, None])[:, 0]


@contrastive
def target_prob(logits: Float[Tensor, " batch num_classes"], target: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """The probability of the target class."""
    return logits.softmax(dim=1).gather(1, target[:, None])[:, 0]


def predicted_logit(
    logits: Float[Tensor, " batch num_classes"], target: Int[Tensor, " batch *contrast"]
) -> Float[Tensor, " batch"]:
    """The largest logit, that of the predicted class, whatever the target."""
    return logits.max(dim=1).values


def summed_log_prob(
    logits: Float[Tensor, " batch num_classes"], target: Int[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    """The log-probabilities of all classes, summed (Ross, Hughes and Doshi-Velez 2017, equation 1)."""
    return log_softmax(logits, dim=1).sum(dim=1)


@contrastive
def margin(logits: Float[Tensor, " batch num_classes"], target: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """The target's logit minus the largest logit of another class."""
    is_target = one_hot(target, logits.shape[1]).bool()
    other = logits.masked_fill(is_target, -torch.inf).amax(dim=1)
    return target_logit(logits, target) - other


@dataclass(frozen=True)
class RandomProjection:
    """The log-probabilities weighted by standard normal draws, fresh per row.

    With v ~ N(0, I) and J the Jacobian of the log-probabilities, E[(vᵀJ)ᵢ²] = ‖J₍:,ᵢ₎‖²: on average over draws, the
    squared gradient is the sum over all classes, and no class can cancel another.
    """

    forward: "weakref.ref[Forward]"
    """Weak, because the pass keeps the gradients of its scores."""
    classes: tuple[int, ...] | None = None
    """The classes whose log-probabilities count; None for all."""

    def __call__(
        self, logits: Float[Tensor, " batch num_classes"], target: Int[Tensor, " batch"]
    ) -> Float[Tensor, " batch"]:
        forward = self.forward()
        assert forward is not None
        direction = forward.normal("random_projection", logits.shape[1])
        return _of_classes(log_softmax(logits, dim=1) * direction, self.classes).sum(dim=1)


@dataclass(frozen=True)
class SummedLogProb:
    """The log-probabilities of some classes, summed."""

    classes: tuple[int, ...]

    def __call__(
        self, logits: Float[Tensor, " batch num_classes"], target: Int[Tensor, " batch"]
    ) -> Float[Tensor, " batch"]:
        return _of_classes(log_softmax(logits, dim=1), self.classes).sum(dim=1)


def _of_classes(values: Tensor, classes: tuple[int, ...] | None) -> Tensor:
    return values if classes is None else values[:, list(classes)]


SCORES = {f.__name__: f for f in (target_logit, target_log_prob, target_prob, predicted_logit, summed_log_prob, margin)}
OF_ALL_CLASSES = ("summed_log_prob", "random_projection")
"""Scores made of the log-probabilities of all classes; all other scores are about one class per row."""
SCORE_NAMES = (*SCORES, "random_projection")


def plain_score(name: str) -> Score:
    """The score of that name, for scores that need no random draws.

    Raises:
        RecipeError: no score has that name.
    """
    if name not in SCORES:
        raise RecipeError(unknown("score", name, SCORES))
    return SCORES[name]


def score_named(name: str, forward: Forward, *, classes: Sequence[int] | None = None) -> Score:
    """The score of that name; a random projection takes its draws from the pass.

    Args:
        classes: which log-probabilities enter a score that is made of all of them; None for all. Scores of one class
            ignore it; see `rows_about`.

    Raises:
        RecipeError: no score has that name.
    """
    chosen = None if classes is None else tuple(sorted(set(classes)))
    if name == "random_projection":
        return RandomProjection(weakref.ref(forward), chosen)
    if name == "summed_log_prob" and chosen is not None:
        return SummedLogProb(chosen)
    if name not in SCORES:
        raise RecipeError(unknown("score", name, SCORE_NAMES))
    return SCORES[name]


def rows_about(
    name: str, forward: Forward, target: Int[Tensor, " batch"], classes: Sequence[int] | None
) -> Bool[Tensor, " batch"] | None:
    """True for each row whose score is about one of these classes; None if every row's is.

    Raises:
        RecipeError: no classes, or one that the model does not have.
    """
    if classes is None:
        return None
    num_classes = forward.logits.shape[1]
    if not classes or not all(isinstance(label, int) and 0 <= label < num_classes for label in classes):
        raise RecipeError(f"classes are {list(classes)}; expected at least one of 0 to {num_classes - 1}, or leave out")
    if name in OF_ALL_CLASSES:
        return None
    about = forward.logits.argmax(dim=1) if name == "predicted_logit" else target
    return torch.isin(about, torch.tensor(list(classes), device=about.device))
