"""How long and in what steps a model is trained; every protocol trains through here."""

import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from corrigible.batches import Batches, label_batches, reviewed_batches
from corrigible.data.dataset import Dataset, rows_of
from corrigible.errors import NoGradientError, RecipeError, TrainingDivergedError
from corrigible.explanations.inputs import num_classes_of
from corrigible.feedback.masks import Marks
from corrigible.losses import cross_entropy
from corrigible.models.batch_size import rows_that_fit
from corrigible.models.forward import Augment, Loss, class_logits
from corrigible.models.modes import evaluating, like_parameters
from corrigible.objective import PenaltySettings
from corrigible.protocols.ahead import changed_ahead, split_ahead
from corrigible.training import Epoch, Step, fit, plain_step

MOST = 10**9
"""Of anything that is counted."""
LEAST_STEPS = 12
"""Per epoch; sixty small photographs in three steps an epoch hardly learn."""

Validation = Callable[[nn.Module], Mapping[str, float]]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The steps of one training run with Adam."""

    epochs: int = 24
    batch_size: int | None = None
    """None for 64, or for fewer where an epoch would have less than a dozen steps; at least 16."""
    reviewed_batch_size: int = 32
    """Reviewed rows per step, where not every row is one; all of them where there are fewer."""
    learning_rate: float = 1e-3
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        for name in ("epochs", "reviewed_batch_size", *(["batch_size"] if self.batch_size is not None else [])):
            require_range(self, name, 1, MOST)
        require_range(self, "learning_rate", 1e-300, 1e300)
        require_range(self, "weight_decay", 0.0, 1e300)

    def rows_per_step(self, num_rows: int) -> int:
        """The batch size for so many rows; a power of two where none was given."""
        if self.batch_size is not None:
            return self.batch_size
        return next((size for size in (64, 32) if num_rows >= LEAST_STEPS * size), 16)


def result_of(running: Generator[Any, None, T]) -> T:
    """What a protocol returns, run to its end without being told of."""
    while True:
        try:
            next(running)
        except StopIteration as finished:
            return finished.value  # type: ignore[no-any-return]


def require_range(facts: Any, name: str, least: int | float, most: int | float) -> None:
    """Raises RecipeError when the number of that name lies outside, or is NaN."""
    value = getattr(facts, name)
    if not least <= value <= most:
        raise RecipeError(f"{name} is {value}; expected a number from {least:g} to {most:g}")


def require_fit(model: nn.Module, dataset: Dataset) -> None:
    """Raises DataError when the model cannot run on the first row."""
    first = like_parameters(rows_of(dataset, torch.tensor([0])).x, model)
    with evaluating(model):
        num_classes_of(model, first, len(dataset))


def _require_finite(model: nn.Module, dataset: Dataset, batch_size: int) -> None:
    """The last step's loss is never seen by the loop."""
    first = like_parameters(rows_of(dataset, torch.arange(min(batch_size, len(dataset)))).x, model)
    with evaluating(model), torch.no_grad():
        is_finite = bool(class_logits(model(first.clone())).isfinite().all())
    if not is_finite:
        raise TrainingDivergedError(
            "after the last step the model's output is no longer a finite number; lower the learning rate or weight"
        )


def run(
    model: nn.Module,
    dataset: Dataset,
    schedule: Schedule,
    *,
    marks: Marks | None = None,
    loss: Loss = cross_entropy,
    penalties: PenaltySettings | None = None,
    augment: Sequence[Augment] = (),
    validation: Validation | None = None,
    rows: Tensor | None = None,
    step: Callable[[int], Step] | None = None,
    seed: int = 0,
) -> Iterator[Epoch]:
    """Train the model in place on the data set, or on these rows of it, with penalties on the marked rows.

    Where every row is marked, the label batches are the reviewed rows and share their pass.

    Args:
        step: number of steps -> the optimisation step; None for plain steps.

    Raises:
        NoGradientError: every parameter is frozen, or a penalty reaches none.
        TrainingDivergedError: the objective, or at the end the model's output, became NaN or infinite.
    """
    labelled, reviewed = batches_of(dataset, schedule, marks, seed, rows=rows)
    ahead, augment = split_ahead(augment)
    labelled = changed_ahead(model, labelled, ahead, seed)
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise NoGradientError("the model has no parameter that may be trained; unfreeze some with requires_grad_()")
    num_rows = len(dataset) if rows is None else len(rows)
    num_steps = schedule.epochs * math.ceil(num_rows / schedule.rows_per_step(num_rows))
    yield from fit(
        model,
        labelled,
        reviewed=reviewed,
        validation=validation,
        loss=loss,
        penalties=penalties,
        augment=augment,
        step=plain_step if step is None else step(num_steps),
        optimizer=torch.optim.Adam(parameters, schedule.learning_rate, weight_decay=schedule.weight_decay),
        epochs=schedule.epochs,
        seed=seed,
    )
    _require_finite(model, dataset, schedule.rows_per_step(len(dataset)))


def batches_of(
    dataset: Dataset, schedule: Schedule, marks: Marks | None, seed: int, *, rows: Tensor | None = None
) -> tuple[Batches, Batches | None]:
    """The label batches and the reviewed ones; where every row is marked, the label batches are both."""
    size = schedule.rows_per_step(len(dataset) if rows is None else len(rows))
    if marks is None:
        return label_batches(dataset, size, seed, rows=rows), None
    reviewed = marks.reviewed_rows(dataset)
    if rows is not None:
        reviewed = reviewed[torch.isin(reviewed, rows)]
    if len(reviewed) == len(dataset if rows is None else rows):
        return label_batches(dataset, size, seed, marks=marks, rows=rows), None
    of_reviewed = reviewed_batches(dataset, marks, reviewed, schedule.reviewed_batch_size, seed)
    return label_batches(dataset, size, seed, rows=rows), of_reviewed


def accuracy_on(dataset: Dataset) -> Validation:
    """The share of the rows predicted right, to be watched after each epoch; it chooses nothing."""

    def validation(model: nn.Module) -> Mapping[str, float]:
        hits = 0
        with evaluating(model), torch.no_grad():
            size = rows_that_fit(model, like_parameters(rows_of(dataset, torch.tensor([0])).x, model))
            for index in torch.arange(len(dataset)).split(size):
                rows = rows_of(dataset, index)
                # Without a Forward, which would keep every layer's output.
                hits += int((class_logits(model(like_parameters(rows.x, model))).argmax(1).cpu() == rows.y.cpu()).sum())
        return {"accuracy": hits / len(dataset)}

    return validation
