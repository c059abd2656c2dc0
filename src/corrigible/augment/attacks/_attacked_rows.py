"""Rows under attack: which points they may move to, what an attack raises there, and when it has succeeded."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import one_hot

from corrigible.augment.attacks._ball import Ball, Sizes, ball_of
from corrigible.errors import RecipeError
from corrigible.models.forward import Forward
from corrigible.models.modes import device_of, like_parameters, untouched
from corrigible.tasks import CLASSES
from corrigible.tasks.classes import require_labels
from corrigible.types import Batch

LossName = Literal["cross_entropy", "margin"]


class Seen(NamedTuple):
    """What an attack learns about points from one pass."""

    value: Float[Tensor, " batch"]
    """What it raises."""
    is_done: Bool[Tensor, " batch"]
    """Whether another class is predicted, or with a target that one."""
    gradient: Float[Tensor, " batch *input"] | None = None
    """Of the value; None if it was not asked for."""


@dataclass(frozen=True)
class AttackedRows:
    """Rows of a model with their labels, and where an attack may move them."""

    model: nn.Module
    ball: Ball
    y: Int[Tensor, " batch"]
    index: Int[Tensor, " batch"]
    target: Int[Tensor, " batch"] | None
    loss: LossName
    seed: int

    def __len__(self) -> int:
        return len(self.y)

    def of(self, rows: Tensor) -> "AttackedRows":
        """Some of the rows; their draws stay what they were."""
        target = None if self.target is None else self.target[rows]
        return replace(self, ball=self.ball.of(rows), y=self.y[rows], index=self.index[rows], target=target)

    def seen(self, at: Float[Tensor, " batch *input"], *, gradient: bool = False) -> Seen:
        """What one pass tells about these points, one for each row."""
        # A copy, because a model may work in place.
        batch = Batch(self.index, at if gradient else at.clone(), self.y, task=CLASSES)
        forward = Forward(self.model, batch, track_input=gradient).unobserved()
        with torch.set_grad_enabled(gradient):
            logits = forward.logits
        require_labels(self.y, logits.shape[1])
        found = forward.input_gradient(self._value, self.y, create_graph=False).detach() if gradient else None
        predicted = logits.detach().argmax(dim=1)
        is_done = predicted != self.y if self.target is None else predicted == self.target
        return Seen(self._value(logits.detach(), self.y), is_done, found)

    def _value(self, logits: Float[Tensor, " batch num_classes"], y: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        of_class = LOSSES[self.loss]
        found: Tensor = -of_class(logits, y) if self.target is None else of_class(logits, self.target)
        return found


@contextmanager
def attacked_rows(
    model: nn.Module,
    x: Float[Tensor, " batch *input"],
    y: Int[Tensor, " batch"],
    *,
    epsilon: Sizes,
    low: Sizes,
    high: Sizes,
    seed: int,
    index: Int[Tensor, " batch"] | None,
    norm: str = "linf",
    target: Int[Tensor, " batch"] | None = None,
    loss: LossName = "margin",
) -> Iterator[AttackedRows]:
    """A context in which the model's rows are attacked; afterwards the model is as it was.

    Raises:
        RecipeError: see `ball_of`; an unknown loss.
        DataError: a label that is not one of the model's classes.
    """
    if loss not in LOSSES:
        raise RecipeError(f"loss is {loss!r}; expected one of {', '.join(map(repr, LOSSES))}")
    ball = ball_of(like_parameters(x.detach(), model), epsilon=epsilon, norm=norm, low=low, high=high)
    device = device_of(model)
    own = torch.arange(len(x), device=device) if index is None else index.to(device)
    aim = None if target is None else target.to(device)
    with untouched(model, seed):
        yield AttackedRows(model, ball, y.to(device), own, aim, loss, seed)


def log_odds(logits: Float[Tensor, " batch num_classes"], y: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """The logarithm of p / (1 − p) of class y.

    It rises and falls with the log-probability, and its gradient has the same direction. The gradient of the
    log-probability is 1 − p times as long: on rows that a network is certain of it is rounded to 0, which would look
    like a defence.
    """
    return _own(logits, y) - _others(logits, y).logsumexp(dim=1)


def margin(logits: Float[Tensor, " batch num_classes"], y: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """The logit of class y minus the largest other one (Carlini and Wagner 2017)."""
    return _own(logits, y) - _others(logits, y).amax(dim=1)


def _own(logits: Tensor, y: Tensor) -> Tensor:
    return logits.gather(1, y[:, None])[:, 0]


def _others(logits: Tensor, y: Tensor) -> Tensor:
    return logits.masked_fill(one_hot(y, logits.shape[1]).bool(), -torch.inf)


LOSSES: dict[str, Any] = {"cross_entropy": log_odds, "margin": margin}
