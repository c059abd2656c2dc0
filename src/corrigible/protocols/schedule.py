"""How long and in what steps a model is trained; every protocol trains with `run`."""

import logging
import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from corrigible.batches import Batches, label_batches, label_parts, representative_batches, reviewed_batches
from corrigible.data.dataset import rows_of, task_of
from corrigible.data.protocol import Dataset, columns_of
from corrigible.data.trained_columns import require_columns
from corrigible.errors import NamedFunctionError, NoGradientError, RecipeError
from corrigible.explanations.inputs import checked_output
from corrigible.feedback.masks import Marks
from corrigible.losses import LOSSES, LossChoice
from corrigible.methods import method_named, method_said, name_of
from corrigible.models.forward import Augment, Loss
from corrigible.models.modes import evaluating, like_parameters
from corrigible.models.own_outputs import require_own_outputs, spread_rows
from corrigible.models.predictive import require_same_task
from corrigible.models.readable import MOST_ROWS, doubt_of, require_readable
from corrigible.objective import PenaltySettings, Term, terms_of
from corrigible.protocols.ahead import changed_ahead, split_ahead
from corrigible.protocols.mean_quality import mean_quality
from corrigible.protocols.privacy.drawn_privately import DrawnPrivately, drawn_privately, require_whole_run
from corrigible.protocols.privacy.private_step import PrivateStep
from corrigible.protocols.privacy.refused import Taught
from corrigible.protocols.soundness import soundness_of
from corrigible.protocols.steps import StepChoice, StepFactory, steps_made, steps_named
from corrigible.training import Epoch, fit

log = logging.getLogger(__name__)

MOST = 10**9
"""Upper limit of the rows in a batch."""
MOST_EPOCHS = 10**5
LEAST_STEPS = 12
"""Least steps per epoch; with three steps per epoch, a network hardly learns from sixty small photographs."""

Validation = Callable[[nn.Module], Mapping[str, float]]
OptimizerFactory = Callable[..., Optimizer]
OPTIMIZERS: Mapping[str, OptimizerFactory] = {
    name: kind
    for name, kind in vars(torch.optim).items()
    if isinstance(kind, type) and issubclass(kind, Optimizer) and kind is not Optimizer
}
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The settings of one training run."""

    epochs: int = 24
    batch_size: int | None = None
    """None for 64, or fewer (at least 16) if an epoch would otherwise have less than a dozen steps."""
    reviewed_batch_size: int = 32
    """Reviewed rows per step, unless every row is reviewed; all of them if there are fewer."""
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    loss: LossChoice = "task_loss"
    """The label loss, by default that of the task: a name in ``LOSSES``, ``my_module:my_loss``, or (forward, batch) ->
    one loss per row; or {"name": one of these, setting: …}."""
    optimizer: str | OptimizerFactory = "Adam"
    """A class of torch.optim, ``my_module:my_factory``, or (parameters, lr=…, weight_decay=…) -> optimizer."""
    step: StepChoice | None = None
    """A name in ``STEPS``, ``my_module:my_factory``, or num_steps -> one optimisation step; or {"name": one of these,
    setting: …}. None for plain steps in training and for careful steps in corrections."""
    representative: bool = False
    """Whether each batch holds every group with every label by its share of the rows, to within one row."""

    def __post_init__(self) -> None:
        _ = self.label_loss, self.optimizer_factory, self.step_factory(None)
        for name in ("epochs", "reviewed_batch_size", *(["batch_size"] if self.batch_size is not None else [])):
            require_range(self, name, 1, MOST_EPOCHS if name == "epochs" else MOST)
            require_whole(self, name)
        require_range(self, "learning_rate", 1e-300, 1e300)
        require_range(self, "weight_decay", 0.0, 1e300)

    @property
    def label_loss(self) -> Loss:
        """The label loss.

        Raises:
            RecipeError: nothing has that name, or a setting is unknown or of the wrong type.
        """
        if not isinstance(self.loss, Mapping):
            return method_named(self.loss, LOSSES, "loss")
        return method_said(self.loss, LOSSES, "loss").filled

    @property
    def optimizer_factory(self) -> OptimizerFactory:
        """The function that makes the optimizer.

        Raises:
            RecipeError: nothing has that name.
        """
        return method_named(self.optimizer, OPTIMIZERS, "optimizer")

    def optimizer_of(self, parameters: Sequence[nn.Parameter]) -> Optimizer:
        """An optimizer for these parameters with the learning rate and weight decay.

        Raises:
            RecipeError: the optimizer cannot be made with them.
        """
        try:
            found = self.optimizer_factory(parameters, lr=self.learning_rate, weight_decay=self.weight_decay)
        except NamedFunctionError:
            raise
        except (TypeError, ValueError) as error:
            raise RecipeError(
                f"optimizer {name_of(self.optimizer)!r} cannot be made with lr and weight_decay ({error}); "
                "expected a class of torch.optim, or a function (parameters, lr, weight_decay) -> optimizer"
            ) from error
        known = {id(parameter) for parameter in parameters}
        groups = found.param_groups if isinstance(found, Optimizer) else []
        if not any(id(parameter) in known for group in groups for parameter in group["params"]):
            raise RecipeError(
                f"optimizer {name_of(self.optimizer)!r} gave a {type(found).__name__} that holds none of the model's "
                "parameters; expected an optimizer of the parameters that it is given"
            )
        return found

    def step_factory(self, default: StepFactory | None) -> StepFactory | None:
        """The function that makes the steps, or the default if none was named.

        Raises:
            RecipeError: nothing has that name, or a setting is unknown or of the wrong type.
        """
        return default if self.step is None else steps_named(self.step)

    def rows_per_step(self, num_rows: int) -> int:
        """The batch size for ``num_rows`` rows; a power of two if none was given."""
        if self.batch_size is not None:
            return self.batch_size
        return next((size for size in (64, 32) if num_rows >= LEAST_STEPS * size), 16)


def result_of(running: Generator[Any, None, T]) -> T:
    """Run a protocol to its end, ignoring what it yields, and return its result."""
    while True:
        try:
            next(running)
        except StopIteration as finished:
            return finished.value  # type: ignore[no-any-return]


def require_range(facts: Any, name: str, least: int | float, most: int | float) -> None:
    """Raises RecipeError if the attribute of that name is NaN or outside the range."""
    value = getattr(facts, name)
    if not isinstance(value, Real) or isinstance(value, bool) or not least <= float(value) <= most:
        raise RecipeError(f"{name} is {value!r}; expected a number from {least:g} to {most:g}")


def require_whole(facts: Any, name: str) -> None:
    """Raises RecipeError when the number of that name is not whole."""
    if getattr(facts, name) != int(getattr(facts, name)):
        raise RecipeError(f"{name} is {getattr(facts, name)}; expected a whole number")


def require_fit(model: nn.Module, dataset: Dataset) -> None:
    """Check on a few rows that the model gives what the task of the data set reads, for each row on its own.

    Raises:
        DataError: it cannot run on rows of this shape.
        UnsupportedModelError: its output has another shape than the task expects, is random, mixes rows, or holds
            probabilities where the task reads logits.
    """
    require_columns(model, columns_of(dataset))
    rows, task = rows_of(dataset, spread_rows(len(dataset), MOST_ROWS)), task_of(dataset)
    with evaluating(model), torch.no_grad():
        require_same_task(model, task)
        task.outputs(checked_output(model, like_parameters(rows.x[:1], model), len(dataset)))
        require_own_outputs(model, rows.x)
        require_readable(model, rows.x, task)
        outputs = torch.cat([task.outputs(model(like_parameters(part, model).clone())) for part in rows.x.split(16)])
    if doubt := doubt_of(outputs.cpu(), rows.y.cpu(), rows.extra, task):
        log.warning(doubt)


def run(
    model: nn.Module,
    dataset: Dataset,
    schedule: Schedule,
    *,
    marks: Marks | None = None,
    loss: Loss | None = None,
    penalties: PenaltySettings | Sequence[Term] | None = None,
    augment: Sequence[Augment] = (),
    validation: Validation | None = None,
    rows: Tensor | None = None,
    step: StepFactory | None = None,
    seed: int = 0,
) -> Iterator[Epoch]:
    """Train the model in place on the data set, or on these rows of it, with penalties on the marked rows.

    If every row is marked, the label batches also serve as reviewed rows, in the same pass.

    Args:
        loss: None for the schedule's loss.
        step: number of steps -> the optimisation step, used if the schedule names none; None for plain steps.

    Raises:
        RecipeError: the schedule names a loss, and the method has its own.
        NoGradientError: every parameter is frozen, or a penalty has no gradient with respect to any.
        TrainingDivergedError: the objective, or at the end the model's output, became NaN, infinite or far
            worse than before.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        found = "all are frozen: unfreeze some with requires_grad_()" if any(True for _ in model.parameters()) else ""
        raise NoGradientError(f"the model has no parameter that may be trained; {found or 'it has no parameters'}")
    factory, terms = schedule.step_factory(step), terms_of({} if penalties is None else penalties)
    taught = Taught(model, dataset, _own_or_named(loss, schedule), terms, augment, marks, seed)
    private = _private(factory, taught, schedule, has_own_rows=rows is not None, has_own_loss=loss is not None)
    labelled, reviewed = private[:2] if private else batches_of(dataset, schedule, marks, seed, rows=rows)
    ahead, augment = split_ahead(augment)
    sound = soundness_of(model, dataset, schedule.rows_per_step(len(dataset)))
    yield from fit(
        model,
        changed_ahead(model, labelled, ahead, seed),
        reviewed=reviewed,
        validation=validation,
        loss=taught.loss,
        penalties=terms,
        augment=augment,
        step=private.steps if private else steps_made(factory, num_steps_of(dataset, schedule, seed, rows)),
        optimizer=schedule.optimizer_of(parameters),
        epochs=schedule.epochs,
        seed=seed,
    )
    sound.require_kept(model, schedule.learning_rate)
    if private:
        model.privacy = private.steps.spent()  # type: ignore[assignment]


def _private(
    factory: StepFactory | None, taught: Taught, schedule: Schedule, *, has_own_rows: bool, has_own_loss: bool
) -> DrawnPrivately | None:
    if not isinstance(factory, PrivateStep):
        return None
    is_representative = schedule.representative
    require_whole_run(has_own_rows=has_own_rows, has_own_loss=has_own_loss, is_representative=is_representative)
    sizes = {"batch_size": schedule.rows_per_step(len(taught.dataset)), "of_reviewed": schedule.reviewed_batch_size}
    return drawn_privately(factory, taught, **sizes, epochs=schedule.epochs)


def num_steps_of(dataset: Dataset, schedule: Schedule, seed: int, rows: Tensor | None = None) -> int:
    """The number of steps of a run; batches of whole queries are counted, because their sizes differ."""
    num_rows = len(dataset) if rows is None else len(rows)
    size = schedule.rows_per_step(num_rows)
    if "query" not in task_of(dataset).extra:
        return schedule.epochs * math.ceil(num_rows / size)
    parts = label_parts(dataset, size, seed, rows=rows)
    return sum(len(parts(epoch)) for epoch in range(schedule.epochs))


def _own_or_named(loss: Loss | None, schedule: Schedule) -> Loss:
    """The method's own label loss, or the schedule's."""
    if loss is None:
        return schedule.label_loss
    if schedule.loss != Schedule.loss:
        raise RecipeError(
            f"this method has a label loss of its own, and {name_of(schedule.label_loss)!r} is named too: leave out "
            "loss"
        )
    return loss


def batches_of(
    dataset: Dataset, schedule: Schedule, marks: Marks | None, seed: int, *, rows: Tensor | None = None
) -> tuple[Batches, Batches | None]:
    """The label batches and the batches of reviewed rows; None for these if there are none or label batches serve."""
    size = schedule.rows_per_step(len(dataset) if rows is None else len(rows))
    divided = representative_batches if schedule.representative else label_batches
    if marks is None:
        return divided(dataset, size, seed, rows=rows), None
    reviewed = marks.reviewed_rows(dataset)
    if rows is not None:
        reviewed = reviewed[torch.isin(reviewed, rows)]
    if len(reviewed) == len(dataset if rows is None else rows):
        return divided(dataset, size, seed, marks=marks, rows=rows), None
    of_reviewed = reviewed_batches(dataset, marks, reviewed, schedule.reviewed_batch_size, seed)
    return divided(dataset, size, seed, rows=rows), of_reviewed


def accuracy_on(dataset: Dataset) -> Validation:
    """A function that gives how well a model does on these rows, to watch after each epoch; nothing is chosen by it.

    For classes it is the accuracy, for other tasks their `Task.quality` under its name.
    """
    task = task_of(dataset)
    key = "accuracy" if task.name == "classes" else task.quality_name
    return lambda model: {key: mean_quality(model, dataset)}
