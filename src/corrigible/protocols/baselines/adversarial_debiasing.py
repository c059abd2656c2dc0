"""Zhang, Lemoine and Mitchell 2018, Mitigating unwanted biases with adversarial learning: a second network tries to
recover the sensitive attribute from the outputs, and the model learns to leave it nothing to find.

Here the model climbs the second network's loss directly, without the paper's projection of the two gradients, and only
while that network does better than the shares of the groups: making it wrong on purpose would put the attribute back.
"""

from collections.abc import Generator
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from corrigible.data.dataset import as_dataset, labelled, require_different, rows_of, strata_of, task_of
from corrigible.data.group_values import all_groups
from corrigible.data.protocol import Dataset
from corrigible.errors import DataError, RecipeError
from corrigible.losses import task_loss
from corrigible.models import mlp
from corrigible.models.forward import Forward
from corrigible.models.modes import PrivateRandomness, evaluating, like_parameters
from corrigible.models.networks import copied, trainable_network
from corrigible.protocols.schedule import Schedule, Validation, require_fit, run
from corrigible.training import Epoch
from corrigible.types import Batch

Recovers = Literal["outputs", "outputs and labels"]
HIDDEN = 32
DISCRIMINATOR_RATE, DISCRIMINATOR_STEPS = 0.01, 2
"""The discriminator's learning rate, and its steps for each of the model's: it has to keep up."""


class AdversarialLoss:
    """The task's loss, plus how much of the sensitive attribute a discriminator recovers from the batch's outputs.

    At each call the discriminator is trained on the batch first. What it recovers, in nats, is the entropy of the
    groups minus the discriminator's cross-entropy, or 0 where it does worse; the model's gradient makes it smaller.

    Args:
        groups: the number, from 0, of each row's group.
        beside: what else the discriminator sees of each row.
        num_outputs: how many numbers the model's outputs are.
    """

    def __init__(
        self,
        groups: Int[Tensor, " row"],
        beside: Float[Tensor, " row number"],
        *,
        num_outputs: int,
        weight: float,
        seed: int,
    ) -> None:
        self.groups = groups
        self.beside = beside
        self.weight = weight
        shares = groups.bincount().double() / len(groups)
        self.entropy = float(-(shares * shares.log()).sum())
        with PrivateRandomness(seed):
            self.discriminator = mlp(num_outputs + beside.shape[1], len(shares), hidden=(HIDDEN,))
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), DISCRIMINATOR_RATE)

    def __call__(self, forward: Forward, batch: Batch) -> Float[Tensor, " batch"]:
        outputs, row = forward.task.standard(forward.outputs), batch.index.cpu()
        group = self.groups[row].to(outputs.device)
        seen = torch.cat([outputs, self.beside[row].to(outputs)], dim=1)
        self.discriminator.to(outputs.device, outputs.dtype)
        for _ in range(DISCRIMINATOR_STEPS):
            self.optimizer.zero_grad()
            cross_entropy(self.discriminator(seen.detach()), group).backward()
            self.optimizer.step()
        recovered = (self.entropy - cross_entropy(self.discriminator(seen), group)).clamp_min(0)
        return task_loss(forward, batch) + self.weight * recovered


def adversarial_debiasing(
    model: nn.Module,
    data: Any,
    *,
    schedule: Schedule,
    weight: float = 1.0,
    recovers_from: Recovers = "outputs",
    watch: Validation | None = None,
    seed: int = 0,
) -> Generator[Epoch, None, nn.Module]:
    """Train a copy of the model whose outputs tell a discriminator little about the sensitive attribute.

    Args:
        data: ``(x, y, group)`` arrays or a map-style data set of (x, y, group).
        weight: of what the discriminator recovers, in nats; 0 is plain training.
        recovers_from: "outputs", for predictions that do not depend on the group (demographic parity); "outputs and
            labels", for predictions that do not depend on it among rows of one label (equalized odds).
        watch: named numbers to report after each epoch.

    Raises:
        DataError: data without groups, or with a single one.
        RecipeError: a weight that is negative or infinite.
    """
    if not 0 <= weight < float("inf"):
        raise RecipeError(f"weight is {weight}; expected a number of at least 0, such as 1")
    model, dataset = trainable_network(model), labelled(as_dataset(data))
    require_different(dataset)
    require_fit(model, dataset)
    groups = all_groups(dataset)
    if groups is None or len(groups.unique()) < 2:
        raise DataError(
            "adversarial_debiasing needs the group of every row, of at least two; expected rows of (x, y, group)"
        )
    trained = copied(model)
    strata = strata_of(dataset)
    beside = one_hot(strata).float() if recovers_from == "outputs and labels" else torch.empty(len(dataset), 0)
    number = groups.unique(return_inverse=True)[1]
    loss = AdversarialLoss(number, beside, num_outputs=_num_outputs(trained, dataset), weight=weight, seed=seed)
    yield from run(trained, dataset, schedule, loss=loss, validation=watch, seed=seed)
    return trained


def _num_outputs(model: nn.Module, dataset: Dataset) -> int:
    task, x = task_of(dataset), rows_of(dataset, torch.tensor([0])).x
    with evaluating(model), torch.no_grad():
        return task.standard(task.outputs(model(like_parameters(x, model).clone()))).shape[1]
