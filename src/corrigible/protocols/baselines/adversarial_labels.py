"""Luc, Couprie, Chintala and Verbeek 2016, Semantic segmentation using adversarial networks: a second network tells
whether labels are sound for a row, and the model learns to predict such ones.

The discriminator sees a row with labels, either its own or some drawn from the model's predictions. It finds what a
loss per label does not see, such as labels that never occur together. Here labels are drawn, and the gradient passes
through the probabilities (Bengio, Léonard and Courville 2013, straight-through), because true labels are 0 or 1: by
this alone, probabilities would be told from them.
"""

import math
from collections.abc import Generator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, one_hot

from corrigible.data.dataset import as_dataset, labelled, require_different, rows_of, task_of
from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.losses import task_loss
from corrigible.models import mlp
from corrigible.models.forward import Forward
from corrigible.models.modes import PrivateRandomness
from corrigible.models.networks import copied, trainable_network
from corrigible.protocols.schedule import Schedule, Validation, require_fit, run
from corrigible.training import Epoch
from corrigible.types import Batch, Task

HIDDEN = (64, 64)
DISCRIMINATOR_RATE, DISCRIMINATOR_STEPS = 0.003, 2
"""The discriminator's learning rate, and its steps for each of the model's: it has to keep up."""


class SoundnessLoss:
    """The task's loss, plus how well a discriminator tells true labels of the batch's rows from predicted ones.

    At each call the discriminator is trained on the batch first. What it tells, in nats, is log 2 minus its
    cross-entropy over as many true as drawn labels, or 0 where it does worse; the model's gradient makes it smaller.

    Args:
        num_inputs: how many numbers a row has.
        num_labels: how many labels a row has, or classes.
    """

    def __init__(self, num_inputs: int, num_labels: int, *, weight: float, seed: int) -> None:
        self.weight = weight
        with PrivateRandomness(seed):
            self.discriminator = mlp(num_inputs + num_labels, 1, hidden=HIDDEN)
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), DISCRIMINATOR_RATE)

    def __call__(self, forward: Forward, batch: Batch) -> Float[Tensor, " batch"]:
        x, drawn, given = forward.x.detach().flatten(1), drawn_labels(forward), _as_numbers(forward.task, batch.y)
        self.discriminator.to(x.device, x.dtype)
        true, false = torch.cat([x, given.to(drawn)], dim=1), torch.cat([x, drawn], dim=1)
        for _ in range(DISCRIMINATOR_STEPS):
            self.optimizer.zero_grad()
            self._missed(true, false.detach()).backward()
            self.optimizer.step()
        told = (math.log(2) - self._missed(true, false)).clamp_min(0)
        return task_loss(forward, batch) + self.weight * told

    def _missed(self, true: Float[Tensor, " batch number"], false: Float[Tensor, " batch number"]) -> Float[Tensor, ""]:
        """The discriminator's cross-entropy over both."""
        sound = logsigmoid(self.discriminator(true)).mean()
        unsound = logsigmoid(-self.discriminator(false)).mean()
        return -(sound + unsound) / 2


def adversarial_labels(
    model: nn.Module,
    data: Any,
    *,
    schedule: Schedule,
    weight: float = 1.0,
    watch: Validation | None = None,
    seed: int = 0,
) -> Generator[Epoch, None, nn.Module]:
    """Train a copy of the model whose predicted labels a discriminator hardly tells from the rows' true labels.

    The discriminator sees the numbers of a row as they are, so that it is of use for tables rather than for images.

    Args:
        data: ``(x, y)`` arrays or a map-style data set of (x, y), of classes or several labels.
        weight: of what the discriminator tells, in nats; 0 is plain training.
        watch: named numbers to report after each epoch.

    Raises:
        UnsupportedModelError: a task without probabilities of labels, such as amounts.
        RecipeError: a weight that is negative or infinite.
        DataError: data with one class only, NaN or infinite inputs.
    """
    if not 0 <= weight < float("inf"):
        raise RecipeError(f"weight is {weight}; expected a number of at least 0, such as 1")
    model, dataset = trainable_network(model), labelled(as_dataset(data))
    require_different(dataset)
    require_fit(model, dataset)
    row, trained = rows_of(dataset, torch.tensor([0])), copied(model)
    num_labels = _as_numbers(task_of(dataset), row.y).shape[1]
    loss = SoundnessLoss(row.x[0].numel(), num_labels, weight=weight, seed=seed)
    yield from run(trained, dataset, schedule, loss=loss, validation=watch, seed=seed)
    return trained


def drawn_labels(forward: Forward) -> Float[Tensor, " batch label"]:
    """Labels drawn from the predictions, 0 or 1; their gradient is that of the probabilities."""
    task = forward.task
    if task.logits is None:
        probs = forward.outputs.sigmoid()
        found = (forward.uniform("adversarial labels", probs.shape[1]) < probs).to(probs)
    else:
        probs = task.logits(forward.outputs).softmax(dim=1)
        below = probs.detach().cumsum(dim=1) < forward.uniform("adversarial labels", 1)
        place = below.sum(dim=1).clamp_max(probs.shape[1] - 1)  # Rounding may leave the last sum below 1.
        found = one_hot(place, probs.shape[1]).to(probs)
    return found + probs - probs.detach()


def _as_numbers(task: Task, y: Tensor) -> Float[Tensor, " batch label"]:
    """Labels as 0 and 1: a class as one of several."""
    if task.name == "several_labels":
        return y.float()
    if task.name != "classes":
        found = f"the task {task.name!r} has no probabilities to draw labels from"
        raise UnsupportedModelError(f"{found}; expected classes or several_labels")
    return one_hot(y, max(2, task.num_outputs)).float()
