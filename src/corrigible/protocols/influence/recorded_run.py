"""A training run as a chain of pure steps, which can be run again from any of its checkpoints."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.batches import Batches
from corrigible.errors import UnsupportedModelError
from corrigible.losses import task_loss
from corrigible.models.draws import drawing_alike
from corrigible.models.flat_weights import FlatWeights, at_weights
from corrigible.models.forward import Forward, Loss
from corrigible.models.modes import PrivateRandomness, device_of, learning, random_state
from corrigible.objective import Term, objective_of
from corrigible.progress import counted
from corrigible.protocols.influence.pure_steps import PureSteps, State
from corrigible.tasks import CLASSES
from corrigible.training import step_seed
from corrigible.types import Batch

MOST_BYTES = 2**28
"""Of weights and states that are kept; longer runs keep some and run the others again."""

Seen = tuple[Batch, Batch | None]
"""A batch of labelled rows, and one of reviewed rows."""


@dataclass(frozen=True)
class Course:
    """What a run sees and minimises at each of its steps."""

    network: nn.Module
    weights: FlatWeights
    labelled: Batches
    reviewed: Batches | None
    loss: Loss
    terms: Sequence[Term]
    steps: PureSteps
    epochs: int
    seed: int
    _kept: dict[int, list[Seen]] = field(default_factory=dict)

    def seen(self, epoch: int) -> list[Seen]:
        """The batches of an epoch, in order; those of the last two asked for stay in memory."""
        if epoch not in self._kept:
            while len(self._kept) > 1:
                del self._kept[next(iter(self._kept))]
            pairs = zip(self.labelled(epoch), self.reviewed(epoch) if self.reviewed else repeat(None), strict=False)
            device = device_of(self.network)
            self._kept[epoch] = [(batch.to(device), rows.to(device) if rows else None) for batch, rows in pairs]
        return self._kept[epoch]

    def total(self, theta: Tensor, counts: Tensor | None, seen: Seen, *, epoch: int, place: int) -> Float[Tensor, ""]:
        """What the step minimises, with each labelled row's loss times its entry of ``counts``."""
        named, (batch, reviewed) = self.weights.named(theta), seen
        if not self.terms and self.loss is task_loss:
            return at_weights(self.network, named, _mean_loss, batch, counts)  # type: ignore[no-any-return]

        def loss(forward: Forward, batch: Batch) -> Tensor:
            found = self.loss(forward, batch)
            return found if counts is None else found * counts

        def objective(network: nn.Module) -> Tensor:
            asked: dict[str, Any] = {"loss": loss, "terms": self.terms, "epoch": epoch}
            return objective_of(network, batch, reviewed, **asked, seed=step_seed(self.seed, epoch, place)).total

        return at_weights(self.network, named, objective)  # type: ignore[no-any-return]

    def stepped(
        self, theta: Tensor, state: State, number: int, seen: Seen, at: tuple[int, int]
    ) -> tuple[Tensor, State]:
        """The weights and the state after one step."""
        theta = theta.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(self.total(theta, None, seen, epoch=at[0], place=at[1]), theta)
        with torch.no_grad():
            return self.steps.update(theta.detach(), state, gradient, number)


def _mean_loss(network: nn.Module, batch: Batch, counts: Tensor | None) -> Float[Tensor, ""]:
    """The mean label loss of a batch, as in training, without what penalties need."""
    task = batch.task or CLASSES
    forward = Forward(network, batch, track_input=False).unobserved()
    losses = task.loss(forward.outputs, batch.y, batch.extra)
    losses = losses if counts is None else losses * counts
    if batch.weight is None:
        return losses.mean()
    return (losses * batch.weight).sum() / batch.weight.sum().clamp_min(torch.finfo(batch.weight.dtype).tiny)


@dataclass(frozen=True)
class RecordedRun:
    """Where a run went: its weights and states at some of its steps, and at its end."""

    course: Course
    places: tuple[tuple[int, int], ...]
    """The epoch of each step, and its place in it."""
    kept: dict[int, tuple[Tensor, State]]
    """By the number of steps done."""
    spacing: int
    theta: Float[Tensor, " weight"]
    """At the end."""

    def backwards(self) -> Iterator[tuple[int, Tensor, State]]:
        """The number of each step with the weights and the state before it, from the last step to the first."""
        for first in sorted(self.kept, reverse=True):
            states = [self.kept[first]]
            for number in range(first, min(first + self.spacing, len(self.places)) - 1):
                states.append(self.course.stepped(*states[-1], number, self.seen(number), self.places[number]))
            for number in range(first + len(states) - 1, first - 1, -1):
                yield number, *states.pop()

    def seen(self, number: int) -> Seen:
        epoch, place = self.places[number]
        return self.course.seen(epoch)[place]


def recorded(course: Course, theta: Float[Tensor, " weight"], num_steps: int) -> RecordedRun:
    """The run from these weights on, with as many checkpoints as fit in memory, at least about √steps.

    Raises:
        UnsupportedModelError: rows mix in training, or the network draws at random.
    """
    spacing = spacing_of(num_steps, theta.numel() * theta.element_size() * (1 + course.steps.num_states))
    state, kept, places, number = course.steps.start(theta), dict[int, tuple[Tensor, State]](), [], 0
    with PrivateRandomness(course.seed), learning(course.network), torch.enable_grad():
        require_repeatable(course)
        for epoch in counted("replayed: epoch", range(course.epochs)):
            for place, seen in enumerate(course.seen(epoch)):
                if number % spacing == 0:
                    kept[number] = (theta, state)
                theta, state = course.stepped(theta, state, number, seen, (epoch, place))
                places.append((epoch, place))
                number += 1
    return RecordedRun(course, tuple(places), kept, spacing, theta)


def spacing_of(num_steps: int, bytes_each: int) -> int:
    """How many steps lie between two checkpoints: 1 where all fit in memory, at most √steps."""
    most = max(1, math.isqrt(max(num_steps - 1, 0)) + 1)
    fits = [spacing for spacing in range(1, most) if (num_steps / spacing + spacing) * bytes_each <= MOST_BYTES]
    return fits[0] if fits else most


def require_repeatable(course: Course) -> None:
    """Raises UnsupportedModelError for a network in training mode whose rows mix or that keeps statistics or draws."""
    for name, module in course.network.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            raise UnsupportedModelError(
                f"layer {name!r} normalises over the batch in training, so that rows mix and leaving one out changes "
                "the others; replay is for networks without batch normalisation: use another method"
            )
        if isinstance(module, nn.modules.batchnorm._NormBase) and module.track_running_stats:
            raise UnsupportedModelError(
                f"layer {name!r} ({type(module).__name__}) keeps running statistics, which change in training and "
                "which replay does not follow: build it with track_running_stats=False, or use another method"
            )
    before = random_state()
    with drawing_alike(course.seed, anew=True) as draws, torch.no_grad():
        course.network(Forward(course.network, course.seen(0)[0][0], track_input=False).x.clone())
    if draws.num_calls or not torch.equal(before[0], random_state()[0]):
        raise UnsupportedModelError(
            "the network draws at random in training, as dropout does, which a replay does not repeat; train without "
            "(dropout=0.0), or use another method"
        )
