"""The only training loop."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import repeat
from statistics import median
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from corrigible.arguments import whole_number
from corrigible.batches import Batches, augmented
from corrigible.errors import RecipeError, TrainingDivergedError
from corrigible.losses import task_loss
from corrigible.models.checkpoints import refusing_checkpoints
from corrigible.models.forward import Augment, Loss
from corrigible.models.modes import PrivateRandomness, device_of, frozen_norms, learning
from corrigible.models.networks import copied, trainable_network
from corrigible.models.readable import require_readable
from corrigible.objective import (
    Objective,
    PenaltySettings,
    StepObjective,
    Term,
    objective_of,
    require_gradients,
    require_ran,
    terms_of,
)
from corrigible.progress import counted
from corrigible.tasks import CLASSES
from corrigible.types import Batch

Step = Callable[[Optimizer, StepObjective], Objective]
"""One optimisation step; each call of its second argument computes the objective at the current parameters."""


RUINED, HOPELESS = 30.0, 1e4
"""How many times the first batch's label loss, or 1 if that is more, a late loss must be for training to be refused: at
the end, and after any epoch."""
LATE_STEPS = 5
"""The steps at the end of an epoch whose median loss is looked at: a single one may be bad luck."""


@dataclass(frozen=True)
class Epoch:
    """The losses of one pass over the labelled rows."""

    number: int
    """From 1."""
    num_epochs: int
    loss: float
    """Mean label loss."""
    penalties: Mapping[str, float] = field(default_factory=dict)
    """Mean of each penalty over the steps, before its weight."""
    validation: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0


def plain_step(optimizer: Optimizer, objective: Callable[[], Objective]) -> Objective:
    """Follow the gradient of the objective once."""
    optimizer.zero_grad()
    found = objective()
    found.total.backward()
    optimizer.step()
    return found


def fit(
    model: nn.Module,
    batches: Batches,
    *,
    reviewed: Batches | None = None,
    validation: Callable[[nn.Module], Mapping[str, float]] | None = None,
    loss: Loss = task_loss,
    penalties: PenaltySettings | Sequence[Term] | None = None,
    augment: Sequence[Augment] = (),
    step: Step = plain_step,
    optimizer: Optimizer,
    epochs: Any,
    seed: Any = 0,
) -> Iterator[Epoch]:
    """Train the model in place and yield an `Epoch` after each pass over the labelled rows.

    Each step sees one label batch and, if a feedback penalty has a weight, one batch of reviewed rows; penalties on
    the same rows share one pass. Without penalties this is plain training, bit for bit. Whenever it yields, the model's
    modes and PyTorch's random state are as they were before the call.

    Args:
        batches: the labelled rows of an epoch.
        reviewed: an endless stream of batches of reviewed rows; without it feedback penalties see the label batches,
            which must be marked.
        validation: named numbers to report after each epoch; nothing is chosen by them.
        penalties: name or function -> weight, or -> {"weight": …, setting: …}; a weight is a number or
            (epoch -> number).
        augment: changes to the label batch, which may look at the model.
        step: one optimisation step.

    Raises:
        FeedbackError: a penalty with a weight never runs, because there are no reviewed rows.
        NoGradientError: a penalty has no gradient with respect to any parameter.
        TrainingDivergedError: the objective became NaN or infinite, or the label loss far larger than before training.
    """
    model, epochs, seed = trainable_network(model), whole_number("epochs", epochs, 0), whole_number("seed", seed)
    terms = terms_of({} if penalties is None else penalties)
    model.__dict__.pop("privacy", None)  # What was counted of earlier training does not hold of what is learned now.
    randomness, losses = PrivateRandomness(seed), list[float]()
    _require_teaching(model, terms, batches, reviewed, loss=loss, epochs=epochs, seed=seed)
    num_steps = None
    for number in range(epochs):
        started = time.perf_counter()
        totals = _Means()
        with randomness, learning(model):
            pairs = zip(batches(number), reviewed(number) if reviewed else repeat(None), strict=False)
            steps = counted(f"epoch {number + 1}/{epochs}: batch", pairs, total=num_steps)
            for place, (batch, rows) in enumerate(steps):
                draws = step_seed(seed, number, place)
                if number == place == 0 and loss is task_loss and len(batch.index):
                    require_readable(model, batch.x, batch.task or CLASSES)
                batch = _augmented(model, batch.to(device_of(model)), augment, draws)
                rows = rows.to(device_of(model)) if rows else None
                with nullcontext() if number or place else refusing_checkpoints(model):
                    totals.add(_stepped(step, optimizer, StepObjective(model, batch, rows, loss, terms, number, draws)))
        num_steps = totals.num_steps
        require_ran([term for term in terms if term.weight_at(number) != 0], totals.penalties)
        losses += totals.losses
        _require_sound(losses, optimizer, is_last=number + 1 == epochs)
        values = validation(model) if validation else {}
        yield Epoch(number + 1, epochs, totals.loss, totals.penalties, values, time.perf_counter() - started)


class _Means:
    """Running means of an epoch's losses."""

    def __init__(self) -> None:
        self.num_rows = self.num_steps = 0
        self.loss_sum = 0.0
        self.losses: list[float] = []
        """The mean label loss of each step."""
        self.penalty_sums: dict[str, float] = defaultdict(float)

    def add(self, found: Objective) -> None:
        self.num_rows += len(found.label_losses)
        self.num_steps += 1
        loss_sum = found.label_losses.sum().item()
        self.loss_sum += loss_sum
        if len(found.label_losses):  # Where rows are drawn independently, a batch may be empty.
            self.losses.append(loss_sum / len(found.label_losses))
        for name, value in found.penalties.items():
            self.penalty_sums[name] += value.item()

    @property
    def loss(self) -> float:
        return self.loss_sum / max(self.num_rows, 1)

    @property
    def penalties(self) -> dict[str, float]:
        return {name: total / self.num_steps for name, total in self.penalty_sums.items()}


def _require_teaching(
    model: nn.Module,
    terms: Sequence[Term],
    batches: Batches,
    reviewed: Batches | None,
    *,
    loss: Loss,
    epochs: int,
    seed: int,
) -> None:
    """Check on the first batches that every penalty that ever has a weight runs and reaches the parameters."""
    # Checked at weight 1: a weight that starts at 0 and grows would otherwise hide that its penalty teaches nothing.
    due = [replace(term, weight=1.0) for term in terms if any(term.weight_at(number) != 0 for number in range(epochs))]
    if due:
        probe = copied(model)  # Some layers change their buffers whenever they run.
        with PrivateRandomness(seed), learning(probe), frozen_norms(probe):
            found = _first_objective(probe, partial(objective_of, probe, loss=loss, terms=due), batches, reviewed, seed)
            require_ran(due, found.penalties)
            require_gradients(probe, found)


def _require_sound(losses: Sequence[float], optimizer: Optimizer, *, is_last: bool) -> None:
    """Raises TrainingDivergedError if the last steps' label loss is far above the first: the steps are too large."""
    first_loss, late = (losses[0], median(losses[-LATE_STEPS:])) if losses else (0.0, 0.0)
    if late > (RUINED if is_last else HOPELESS) * max(first_loss, 1.0):
        rates = ", ".join(dict.fromkeys(f"{group['lr']:g}" for group in optimizer.param_groups))
        raise TrainingDivergedError(
            f"training makes the model far worse: the mean label loss is {late:.3g}, before the first step it was "
            f"{first_loss:.3g}; lower the learning rate (it is {rates}) or the weights of penalties"
        )


def _stepped(step: Step, optimizer: Optimizer, objective: StepObjective) -> Objective:
    found = step(optimizer, objective)
    if not isinstance(found, Objective):
        raise RecipeError(f"the step returned a {type(found).__name__}; expected what objective() returns")
    return found


def _augmented(model: nn.Module, batch: Batch, augment: Sequence[Augment], seed: int) -> Batch:
    return augmented(model, batch, augment, torch.Generator().manual_seed(seed))


def _first_objective(
    model: nn.Module, objective: Callable[..., Objective], batches: Batches, reviewed: Batches | None, seed: int
) -> Objective:
    batch, rows = _first_rows(batches), _first_rows(reviewed) if reviewed else None
    device = device_of(model)
    found: Objective = objective(batch.to(device), rows.to(device) if rows else None, epoch=0, seed=seed)
    return found


def _first_rows(batches: Batches) -> Batch:
    """The first batch that is not empty."""
    found = next((batch for batch in batches(0) if len(batch.index)), None)
    if found is None:
        raise RecipeError("every batch of the first epoch is empty; expected rows: raise batch_size")
    return found


def step_seed(seed: int, epoch: int, place: int) -> int:
    """The seed of a step's random draws."""
    return ((seed * 1_000_003 + epoch) * 1_000_003 + place) % 2**63
