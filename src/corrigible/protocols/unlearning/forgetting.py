"""A trained model, the rows that it must forget, and those that it keeps; how all methods of unlearning train."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.batches import Batches, label_batches, reviewed_batches
from corrigible.data.dataset import TensorData, task_of
from corrigible.errors import NoGradientError
from corrigible.feedback.masks import Marks, Masks
from corrigible.losses import task_loss
from corrigible.models.forward import Loss
from corrigible.models.networks import copied
from corrigible.models.predictive import all_outputs
from corrigible.objective import PenaltySettings
from corrigible.protocols.schedule import Schedule
from corrigible.protocols.soundness import soundness_of
from corrigible.training import Epoch, Step, fit, plain_step
from corrigible.types import Task


@dataclass(frozen=True)
class Forgetting:
    """What is to be forgotten by which model."""

    model: nn.Module
    """As it was trained; no method changes it."""
    kept: TensorData
    forgotten: TensorData
    batch_size: int | None = None
    """Rows per step; None as in `Schedule`."""
    seed: int = 0

    @property
    def task(self) -> Task:
        """What outputs and labels mean."""
        return task_of(self.kept)

    def copy(self) -> nn.Module:
        """A copy of the model, to be changed."""
        return copied(self.model)

    def outputs(self, rows: TensorData) -> Float[Tensor, " row output"]:
        """What the model, as it was, gives for these rows."""
        return all_outputs(self.model, rows.x, task=self.task)

    def rows_per_step(self, rows: TensorData) -> int:
        """The batch size for these rows."""
        return Schedule(batch_size=self.batch_size).rows_per_step(len(rows))

    def batches(self, rows: TensorData) -> Batches:
        """Every one of the rows once per epoch, in an order that the seed settles."""
        return label_batches(rows, self.rows_per_step(rows), self.seed)

    def stream(self, rows: TensorData, size: int) -> Batches:
        """An endless stream of batches of the rows, this many or all of them, for penalties."""
        nowhere = Masks(torch.zeros(rows.x.shape[1:], dtype=torch.bool), {}, {})
        return reviewed_batches(rows, Marks(nowhere, nowhere), torch.arange(len(rows)), size, self.seed)

    def trained(
        self,
        model: nn.Module,
        batches: Batches,
        *,
        epochs: int,
        learning_rate: float,
        beside: Batches | None = None,
        loss: Loss = task_loss,
        penalties: PenaltySettings | None = None,
        step: Step = plain_step,
    ) -> Iterator[Epoch]:
        """Train the model in place by the one training loop.

        Args:
            beside: an endless stream of batches, which penalties on reviewed rows see.

        Raises:
            RecipeError: a number of epochs or a learning rate out of range.
            NoGradientError: every parameter is frozen.
            TrainingDivergedError: the loss became NaN or infinite, or the model far worse on the kept rows.
        """
        schedule = Schedule(epochs=epochs, learning_rate=learning_rate)
        parameters = trainable(model)
        sound = soundness_of(model, self.kept, self.rows_per_step(self.kept))
        how: dict[str, Any] = {"optimizer": schedule.optimizer_of(parameters), "epochs": epochs, "seed": self.seed}
        yield from fit(model, batches, reviewed=beside, loss=loss, penalties=penalties, step=step, **how)
        sound.require_kept(model, learning_rate)


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that are not frozen.

    Raises:
        NoGradientError: every parameter is frozen.
    """
    found = [p for p in model.parameters() if p.requires_grad]
    if not found:
        raise NoGradientError("every parameter of the model is frozen: unfreeze some with requires_grad_()")
    return found


def with_extra(rows: TensorData, extra: Mapping[str, Tensor]) -> TensorData:
    """The rows with these tensors beside them, too."""
    return replace(rows, extra={**rows.extra, **extra})
