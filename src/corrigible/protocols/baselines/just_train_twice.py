"""Liu, Haghgoo, Chen, Raghunathan, Koh, Sagawa, Liang and Finn 2021, Just train twice, algorithm 1.

The rows that a briefly trained network gets wrong are mostly those on which the confounder misleads it. The network
that is trained fully sees these rows more often. No groups are needed.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from corrigible.data.dataset import TensorData, all_labels, as_dataset, labelled, require_classes, rows_of
from corrigible.data.protocol import Dataset, beside, columns_of
from corrigible.errors import RecipeError
from corrigible.models.batch_size import rows_that_fit
from corrigible.models.modes import evaluating, like_parameters
from corrigible.models.networks import copied, trainable_network
from corrigible.objective import PenaltySettings, Term
from corrigible.outputs import class_logits
from corrigible.protocols.schedule import Schedule, Validation, require_fit, run
from corrigible.protocols.steps import require_ordinary
from corrigible.protocols.training_facts import own_terms
from corrigible.training import Epoch
from corrigible.types import Columns


@dataclass(frozen=True)
class Repeated:
    """A map-style data set of another one's rows in a given order, some of them repeated."""

    rows: Dataset
    index: Int[Tensor, " row"]
    y: Int[Tensor, " row"]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, row: int) -> tuple[Any, ...]:
        return self.rows[int(self.index[row])]

    @property
    def columns(self) -> Columns | None:
        """The columns of the underlying data set."""
        return columns_of(self.rows)

    @property
    def weight(self) -> Tensor | None:
        """The weights of the chosen rows."""
        weight: Tensor | None = beside(self.rows, self.index)["weight"]
        return weight

    @property
    def extra(self) -> Mapping[str, Tensor]:
        """The extra tensors of the chosen rows."""
        extra: Mapping[str, Tensor] = beside(self.rows, self.index)["extra"]
        return extra


def just_train_twice(
    model: nn.Module,
    data: Any,
    *,
    schedule: Schedule,
    identification_epochs: int = 1,
    upweight: int = 20,
    penalties: PenaltySettings | Sequence[Term] | None = None,
    watch: Validation | None = None,
    seed: int = 0,
) -> Generator[Epoch, None, nn.Module]:
    """Train a copy of the model on all rows, repeating those that a first, briefly trained copy gets wrong.

    Both copies start from the model's weights; their epochs add up to ``schedule.epochs``. If the first copy gets
    every row right, the second sees each row once per epoch.

    Args:
        identification_epochs: epochs of the first copy; few, so that it learns only what is easy.
        upweight: how often per epoch the second copy sees each row that the first got wrong.
        penalties: those of the network's own objective, as the divergence of a Bayesian network is; of both copies.
        watch: named numbers to report after each epoch of the second copy.

    Raises:
        RecipeError: a number below 1, or no epoch left for the second copy.
    """
    require_ordinary(schedule.step_factory(None), "just_train_twice")
    if not 1 <= identification_epochs < schedule.epochs:
        raise RecipeError(
            f"identification_epochs is {identification_epochs}; expected 1 to {schedule.epochs - 1}, "
            f"fewer than the {schedule.epochs} epochs in all"
        )
    if upweight < 1:
        raise RecipeError(f"upweight is {upweight}; expected at least 1")
    model, dataset = trainable_network(model), labelled(as_dataset(data))
    require_classes(dataset)
    require_fit(model, dataset)
    first, second = copied(model), copied(model)
    brief = replace(schedule, epochs=identification_epochs)
    yield from run(first, dataset, brief, penalties=own_terms(penalties, first, dataset, seed), seed=seed)
    errors = errors_of(first, dataset)
    index = torch.cat([torch.arange(len(dataset)), errors.repeat(upweight - 1)])
    rows, rest = _repeated(dataset, index), replace(schedule, epochs=schedule.epochs - identification_epochs)
    terms = own_terms(penalties, second, rows, seed)
    yield from run(second, rows, rest, penalties=terms, validation=watch, seed=seed)
    return second


def errors_of(model: nn.Module, dataset: Dataset) -> Int[Tensor, " error"]:
    """Positions of the rows that the model predicts wrongly."""
    found = []
    with evaluating(model), torch.no_grad():
        size = rows_that_fit(model, like_parameters(rows_of(dataset, torch.tensor([0])).x, model))
        for index in torch.arange(len(dataset)).split(size):
            rows = rows_of(dataset, index)
            predicted = class_logits(model(like_parameters(rows.x, model).clone())).argmax(dim=1)
            found.append(index[predicted.cpu() != rows.y.cpu()])
    return torch.cat(found)


def _repeated(dataset: Dataset, index: Int[Tensor, " row"]) -> Dataset:
    if isinstance(dataset, TensorData):
        return rows_of(dataset, index)
    return Repeated(dataset, index, all_labels(dataset)[index])
