"""Ilyas and Engstrom 2025, MAGIC: near-optimal data attribution for deep learning, by differentiating the training run.

Each row's loss gets a factor that is 1. The derivative of a query's loss by these factors goes back through the steps
of the run, one after the other: at each, the step's own derivative by weights, optimizer state and factors is applied
to the query's derivative by what came after (Maclaurin et al. 2015; Engstrom et al. 2025, metagradients). Nothing is
assumed of a minimum, and nothing is inverted. The run is the schedule's own: the same batches in the same order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.data.protocol import Dataset
from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.feedback.masks import Marks
from corrigible.models.flat_weights import flat_weights
from corrigible.models.forward import Augment
from corrigible.models.modes import PrivateRandomness, learning
from corrigible.models.networks import copied
from corrigible.objective import Term
from corrigible.protocols.ahead import changed_ahead, split_ahead
from corrigible.protocols.influence.pure_steps import State, pure_steps
from corrigible.protocols.influence.recorded_run import Course, RecordedRun, Seen, recorded
from corrigible.protocols.schedule import Schedule, batches_of, num_steps_of
from corrigible.protocols.steps import StepFactory

Factors = Callable[[Course, Tensor, Seen, tuple[int, int]], tuple[Tensor, Tensor, Tensor]]
"""(course, weights, what the step sees, its place) -> what it minimises, the factors in it, which column each is of."""


@dataclass(frozen=True)
class Taught:
    """How a network was trained: what `protocols.schedule.run` was called with."""

    start: nn.Module
    dataset: Dataset
    schedule: Schedule
    seed: int
    terms: tuple[Term, ...] = ()
    marks: Marks | None = None
    augment: Sequence[Augment] = ()
    step: StepFactory | None = None


def replayed(taught: Taught) -> RecordedRun:
    """The run once more, as pure steps.

    Raises:
        RecipeError: an optimizer, steps or changes of batches that cannot be replayed.
        UnsupportedModelError: rows mix in training, or the network draws at random.
    """
    network, schedule = copied(taught.start), taught.schedule
    labelled, reviewed = batches_of(taught.dataset, schedule, taught.marks, taught.seed)
    ahead, others = split_ahead(taught.augment)
    if others:
        raise RecipeError("changes of batches that look at the model cannot be replayed; leave them out")
    num_steps = num_steps_of(taught.dataset, schedule, taught.seed)
    weights = flat_weights(network)
    course = Course(
        network,
        weights,
        changed_ahead(network, labelled, ahead, taught.seed),
        reviewed,
        schedule.label_loss,
        taught.terms,
        pure_steps(schedule, num_steps, default=taught.step),
        schedule.epochs,
        taught.seed,
    )
    return recorded(course, weights.vector(network), num_steps)


def of_rows(course: Course, theta: Tensor, seen: Seen, at: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """The objective with a factor for each labelled row's loss."""
    counts = torch.ones(len(seen[0].index), dtype=theta.dtype, device=theta.device, requires_grad=True)
    return course.total(theta, counts, seen, epoch=at[0], place=at[1]), counts, seen[0].index


def slopes_by_factors(
    run: RecordedRun, slopes: Float[Tensor, " query weight"], num_columns: int, *, factors: Factors = of_rows
) -> Float[Tensor, " query column"]:
    """The derivative of each query's loss by each factor, summed over the steps.

    Args:
        slopes: the gradient of each query's loss at the end of the run.
    """
    course = run.course
    total = slopes.new_zeros(len(slopes), num_columns)
    later: tuple[Tensor, ...] = (slopes, *(torch.zeros_like(slopes) for _ in range(course.steps.num_states)))
    with PrivateRandomness(course.seed), learning(course.network), torch.enable_grad():
        for number, theta, state in run.backwards():
            *earlier, of_factors, column = _through(run, number, theta, state, later, factors=factors)
            later = tuple(earlier)
            total.index_add_(1, column, of_factors)
    return total


def _through(
    run: RecordedRun, number: int, theta: Tensor, state: State, later: tuple[Tensor, ...], *, factors: Factors
) -> tuple[Tensor, ...]:
    """The derivatives before a step, from those after it; then those by the step's factors, and their columns."""
    before = tuple(values.detach().requires_grad_() for values in (theta, *state))
    total, counts, column = factors(run.course, before[0], run.seen(number), run.places[number])
    (gradient,) = torch.autograd.grad(total, before[0], create_graph=True)
    after, state_after = run.course.steps.update(before[0], before[1:], gradient, number)
    found = products((after, *state_after), (*before, counts), later)
    return (*found, column)


def products(outputs: tuple[Tensor, ...], inputs: tuple[Tensor, ...], given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """For each query, the derivative of Σ given · outputs by each of the inputs."""
    asked: dict[str, Any] = {"allow_unused": True, "retain_graph": len(given[0]) > 1}
    known = [place for place, output in enumerate(outputs) if output.requires_grad]
    outputs = tuple(outputs[place] for place in known)
    if len(given[0]) > 1:
        try:
            found = torch.autograd.grad(
                outputs, inputs, tuple(given[place] for place in known), is_grads_batched=True, **asked
            )
            return _filled(found, inputs, len(given[0]))
        except RuntimeError:  # A function without a rule for vmap.
            pass
    each = [
        torch.autograd.grad(outputs, inputs, tuple(given[place][query] for place in known), **asked)
        for query in range(len(given[0]))
    ]
    columns = [None if parts[0] is None else torch.stack(parts) for parts in zip(*each, strict=True)]
    return _filled(columns, inputs, len(given[0]))


def _filled(found: Sequence[Tensor | None], inputs: tuple[Tensor, ...], count: int) -> tuple[Tensor, ...]:
    pairs = zip(found, inputs, strict=True)
    return tuple(value.new_zeros(count, *value.shape) if part is None else part.detach() for part, value in pairs)


def require_same_end(run: RecordedRun, theta: Float[Tensor, " weight"]) -> float:
    """The largest difference between the run's weights and the model's.

    Raises:
        UnsupportedModelError: they differ by more than rounding, so it was another run.
    """
    if run.theta.shape != theta.shape:
        raise UnsupportedModelError(
            f"start has {len(run.theta):,} trainable weights and the model {len(theta):,}; expected the network before "
            "it was trained"
        )
    difference, size = float((run.theta - theta).abs().max()), float(theta.abs().max())
    if not difference <= torch.finfo(theta.dtype).eps ** 0.5 * 10 * max(size, 1e-30):
        raise UnsupportedModelError(
            f"the replayed run ends at other weights than the model's: they differ by up to {difference:.2g}; expected "
            "the run that made it: the same start, data, penalties, schedule and seed"
        )
    return difference
