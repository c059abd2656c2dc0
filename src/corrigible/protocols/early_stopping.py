"""Train until the loss no longer falls.

The loss is that of rows held out for it, whose best weights are kept (Prechelt 1998, Early stopping, but when?).
Without such rows it is the training loss, as in scikit-learn's networks, and the last weights are kept. The weights are
means over the last steps, because training may end while steps are still large.
"""

import copy
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Int
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.data.dataset import TensorData, rows_of, task_of
from corrigible.data.protocol import Dataset
from corrigible.models.predictive import all_outputs
from corrigible.protocols.averaging import RunningMean
from corrigible.protocols.schedule import MOST_EPOCHS, Schedule, Validation, run
from corrigible.protocols.soundness import soundness_of
from corrigible.training import Epoch

LEAST_FALL = 1e-4
"""What the loss must fall by to count as lower; losses are in units of the labels' spread, or nats."""
SMALL_FALL = 0.01
"""The share of the loss by which the last epoch may lower it, if training is to count as ended."""
LEAST_TO_CORRECT = 3
"""Least epochs of a correction."""
WATCHED = "loss"
RowLoss = Callable[[Tensor, Tensor, Mapping[str, Tensor]], Tensor]
"""(outputs, labels, what stands beside them) -> one loss per row."""


@dataclass(frozen=True)
class Watched:
    """How a training run went."""

    losses: tuple[float, ...]
    """The mean label loss of each epoch."""
    held_out_losses: tuple[float, ...]
    """The mean label loss of the rows held out, after each epoch; empty without such rows."""
    has_converged: bool
    """Whether the loss had stopped falling when training ended."""

    @property
    def best_epoch(self) -> int:
        """The number of the epoch, from 1, after which the loss of the rows held out was lowest."""
        return 1 + self.held_out_losses.index(min(self.held_out_losses))

    def epochs_to_correct(self) -> dict[str, int]:
        """How long to train on in a correction, as a setting of `correct`; empty if no rows were held out.

        Half as long as it took until the held-out rows were predicted best, at least 3 epochs: a network that is
        trained on for longer learns its training rows by heart.
        """
        if not self.held_out_losses:
            return {}
        return {"epochs": min(max(math.ceil(self.best_epoch / 2), LEAST_TO_CORRECT), Schedule.epochs)}


def until_flat(
    model: nn.Module,
    dataset: Dataset,
    schedule: Schedule,
    *,
    rows: Int[Tensor, " row"],
    held_out: Int[Tensor, " held"],
    patience: int,
    seed: int = 0,
    watched_loss: RowLoss | None = None,
) -> Generator[Epoch, None, Watched]:
    """Train the model in place on these rows until so many epochs in a row brought no lower loss.

    Args:
        rows: positions of the rows to learn from.
        held_out: positions of rows to watch, none of them in ``rows``; may be empty.
        patience: the number of epochs.
        watched_loss: of the rows to watch; None for the task's loss of their labels.

    Raises:
        RecipeError: a patience that is no whole number of at least 1.
        TrainingDivergedError: as `run`.
    """
    patience = whole_number("patience", patience, 1, MOST_EPOCHS)
    watch = _loss_on(rows_of(dataset, held_out), watched_loss) if len(held_out) else None
    sound = soundness_of(model, dataset, schedule.rows_per_step(len(rows)))
    best, waited, kept = math.inf, 0, dict[str, Tensor]()
    losses, held_out_losses = list[float](), list[float]()
    average = RunningMean(model)
    schedule = replace(schedule, step=average.after(schedule.step_factory(None)))
    validation = (lambda _: watch(average.mean)) if watch else None
    running = run(model, dataset, schedule, rows=rows, validation=validation, seed=seed)
    for epoch in running:
        yield epoch
        losses.append(epoch.loss)
        found = epoch.validation[WATCHED] if watch else epoch.loss
        if watch and found < min(held_out_losses, default=math.inf):
            kept = copy.deepcopy(average.mean.state_dict())
        held_out_losses += [found] if watch else []
        best, waited = (found, 0) if found < best - LEAST_FALL else (best, waited + 1)
        if waited >= patience:
            break
    model.load_state_dict(kept or average.mean.state_dict())
    sound.require_kept(model, schedule.learning_rate)
    has_converged = waited >= patience or _is_flat(held_out_losses if watch else losses)
    return Watched(tuple(losses), tuple(held_out_losses), has_converged)


def _is_flat(losses: Sequence[float]) -> bool:
    """Whether the last epoch changed little, as at the end of a learning rate that falls to 0."""
    return len(losses) > 1 and losses[-2] - losses[-1] < max(SMALL_FALL * abs(losses[-2]), LEAST_FALL)


def _loss_on(rows: TensorData, loss: RowLoss | None) -> Validation:
    """A function that gives a model's mean loss on these rows."""
    task = task_of(rows)
    loss = loss or task.loss
    weight = torch.ones(len(rows)) if rows.weight is None else rows.weight

    def validation(model: nn.Module) -> dict[str, float]:
        losses = loss(all_outputs(model, rows.x, task=task), rows.y, rows.extra)
        return {WATCHED: float((losses * weight).double().sum() / weight.double().sum())}

    return validation
