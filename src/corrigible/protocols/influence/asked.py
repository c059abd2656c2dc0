"""What an influence is asked of: a copy of the network, its objective, and the queries, all checked."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.batches import collate
from corrigible.data.dataset import as_dataset, labelled, rows_of, task_of
from corrigible.data.protocol import Dataset
from corrigible.errors import RecipeError
from corrigible.explanations.examples.row_gradients import row_gradients, rows_in_memory
from corrigible.feedback.checks import as_list
from corrigible.models.flat_weights import at_weights
from corrigible.models.forward import Forward
from corrigible.models.modes import device_of
from corrigible.models.networks import copied, network_of, require_differentiable
from corrigible.objective import PenaltySettings, Term, terms_of
from corrigible.protocols.careful import careful_step
from corrigible.protocols.corrections.usable_feedback import usable_marks
from corrigible.protocols.influence.learned import Learned, require_marks, require_separable
from corrigible.protocols.schedule import Schedule, require_fit
from corrigible.protocols.steps import StepFactory
from corrigible.protocols.training_facts import Known, provided

Query = Callable[[nn.Module], Tensor]
"""model -> losses, (query,), which can be differentiated."""


@dataclass(frozen=True)
class Asked:
    """The objective that was learned and what is asked about."""

    learned: Learned
    query: Dataset | Query
    schedule: Schedule
    seed: int
    terms: tuple[Term, ...] = ()
    """All penalties, also those that no longer have a weight in the last epoch."""
    queries: Int[Tensor, " query"] | None = None
    """The positions of the rows among all that are asked about; None where they are all."""

    def about(self, index: Int[Tensor, " query"]) -> "Asked":
        """The same of some of the rows."""
        assert self.rows is not None
        return replace(self, query=rows_of(self.rows, index), queries=index)

    @property
    def step(self) -> StepFactory | None:
        """The steps where the schedule names none: careful ones in corrections, as `correct` takes them."""
        return None if self.learned.marks is None else careful_step

    @property
    def rows(self) -> Dataset | None:
        """The rows that are asked about; None where a function is."""
        return None if is_function(self.query) else self.query  # type: ignore[return-value]

    def losses(self, network: nn.Module) -> Float[Tensor, " query"]:
        """The loss of each query, with its graph."""
        if self.rows is None:
            return checked_losses(self.query(network))  # type: ignore[operator]
        batch = replace(self._batch(torch.arange(len(self.rows))), weight=None)
        return self.learned.loss(Forward(network, batch, track_input=False), batch)

    def gradients(self) -> Float[Tensor, " query weight"]:
        """The gradient of each query's loss."""
        learned = self.learned
        if self.rows is not None:
            parts = rows_in_memory(torch.arange(len(self.rows)), learned.weights.count)
            return torch.cat(
                [
                    row_gradients(learned.network, learned.weights, self._batch(part), loss=learned.loss)
                    for part in parts
                ]
            )
        theta = learned.theta.clone().requires_grad_()
        losses = at_weights(learned.network, learned.weights.named(theta), self.losses)
        found = [torch.autograd.grad(loss, theta, retain_graph=True, allow_unused=True)[0] for loss in losses]
        return torch.stack([torch.zeros_like(theta) if part is None else part for part in found])

    def _batch(self, index: Tensor) -> Any:
        assert self.rows is not None
        return collate(self.rows, index).to(device_of(self.learned.network))


def is_function(query: Any) -> bool:
    """Whether the query is a function of the model, not rows."""
    return callable(query) and not hasattr(query, "__getitem__")


def checked_losses(found: Any) -> Float[Tensor, " query"]:
    """The losses that a query gave, one or several.

    Raises:
        RecipeError: no tensor of numbers that can be differentiated.
    """
    if not isinstance(found, Tensor) or found.ndim > 1 or not found.requires_grad or not _are_numbers(found):
        described = f"shape {tuple(found.shape)}, {found.dtype}" if isinstance(found, Tensor) else type(found).__name__
        raise RecipeError(
            f"the query gave {described}; "
            "expected a loss, or a row of losses, as a tensor with a gradient with respect to the model's weights"
        )
    return found[None] if found.ndim == 0 else found


def _are_numbers(found: Tensor) -> bool:
    return found.numel() > 0 and found.is_floating_point()


def asked_of(
    model: nn.Module,
    data: Any,
    query: Any,
    *,
    penalties: PenaltySettings | None,
    feedback: Any,
    schedule: Schedule | None,
    seed: Any,
) -> Asked:
    """Everything checked, on a copy of the network in eval mode.

    Raises:
        DataError, FeedbackError, RecipeError, UnsupportedModelError: what does not fit.
    """
    network, dataset, seed = copied(network_of(model)).eval(), labelled(as_dataset(data)), whole_number("seed", seed)
    require_separable(dataset)
    require_differentiable(network)
    require_fit(network, dataset)
    rows: Any = query if is_function(query) else labelled(as_dataset(query, task=task_of(dataset)))
    if not is_function(query):
        require_fit(network, rows)
    schedule = Schedule() if schedule is None else schedule
    marks = None if feedback is None else usable_marks(as_list(feedback), dataset)
    terms = terms_of({} if penalties is None else penalties)
    require_marks(terms, marks)
    if marks is not None:
        terms = provided(terms, Known(network, dataset, marks, seed))
    learned = Learned(
        network,
        dataset,
        schedule.label_loss,
        _weighing(terms, schedule),
        marks,
        _weight_decay(schedule),
        schedule.epochs - 1,
    )
    return Asked(learned, rows, schedule, seed, terms)


def _weighing(terms: tuple[Term, ...], schedule: Schedule) -> tuple[Term, ...]:
    """The penalties that have a weight in the last epoch."""
    return tuple(term for term in terms if term.weight_at(schedule.epochs - 1) != 0)


def _weight_decay(schedule: Schedule) -> float:
    return 0.0 if schedule.optimizer == "AdamW" else float(schedule.weight_decay)
