"""The one number per row that is explained.

A target of shape (batch, 2) asks why the first class rather than the second: the score of the one less that of the
other.
"""

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import log_softmax, one_hot

from corrigible.errors import RecipeError, unknown
from corrigible.models.forward import Forward, Score


def contrastive(score: Callable[[Tensor, Tensor], Tensor]) -> Score:
    """The score, or for pairs of classes the score of the first less that of the second."""

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


def summed_log_prob(
    logits: Float[Tensor, " batch num_classes"], target: Int[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    """The log-probabilities of all classes, summed (Ross, Hughes and Doshi-Velez 2017, equation 1)."""
    return log_softmax(logits, dim=1).sum(dim=1)


@contrastive
def margin(logits: Float[Tensor, " batch num_classes"], target: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """The target's logit less the largest logit of another class."""
    is_target = one_hot(target, logits.shape[1]).bool()
    other = logits.masked_fill(is_target, -torch.inf).amax(dim=1)
    return target_logit(logits, target) - other


@dataclass(frozen=True)
class RandomProjection:
    """The log-probabilities weighted by standard normal draws, fresh per row.

    With v ~ N(0, I) and J the Jacobian of the log-probabilities, E[(vᵀJ)ᵢ²] = ‖J₍:,ᵢ₎‖²: in the mean over draws the
    squared gradient is that of all classes together, and none can cancel another.
    """

    forward: "weakref.ref[Forward]"
    """Weak, because the pass keeps the gradients of its scores."""

    def __call__(
        self, logits: Float[Tensor, " batch num_classes"], target: Int[Tensor, " batch"]
    ) -> Float[Tensor, " batch"]:
        forward = self.forward()
        assert forward is not None
        direction = forward.normal("random_projection", logits.shape[1])
        return (log_softmax(logits, dim=1) * direction).sum(dim=1)


SCORES = {f.__name__: f for f in (target_logit, target_log_prob, target_prob, summed_log_prob, margin)}
SCORE_NAMES = (*SCORES, "random_projection")


def score_named(name: str, forward: Forward) -> Score:
    """The score of that name; a random projection takes its draws from the pass.

    Raises:
        RecipeError: no score has that name.
    """
    if name == "random_projection":
        return RandomProjection(weakref.ref(forward))
    if name not in SCORES:
        raise RecipeError(unknown("score", name, SCORE_NAMES))
    return SCORES[name]
