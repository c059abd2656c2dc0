"""What a network has minimised: the mean label loss of its training rows, its penalties and its weight decay."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.batches import collate
from corrigible.data.dataset import task_of
from corrigible.data.protocol import Dataset, weights_of
from corrigible.errors import FeedbackError, UnsupportedModelError
from corrigible.feedback.masks import Marks
from corrigible.models.flat_weights import FlatWeights, at_weights, flat_weights
from corrigible.models.forward import Loss
from corrigible.models.modes import device_of
from corrigible.objective import Term, objective_of
from corrigible.types import Batch

ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Learned:
    """A network in eval mode with the objective that its weights are meant to minimise.

    R(θ) = Σ sᵢ lᵢ(θ) / Σ sᵢ + Σ weight × penalty(θ) + weight_decay / 2 · |θ|², over the rows i with their weights sᵢ.
    Penalties of reviewed rows are means over parts of at most 512 of them.
    """

    network: nn.Module
    dataset: Dataset
    loss: Loss
    terms: tuple[Term, ...] = ()
    marks: Marks | None = None
    weight_decay: float = 0.0
    last_epoch: int = 0
    """The epoch whose weights of penalties count."""

    @cached_property
    def weights(self) -> FlatWeights:
        return flat_weights(self.network)

    @cached_property
    def theta(self) -> Float[Tensor, " weight"]:
        """The network's weights."""
        return self.weights.vector(self.network)

    @cached_property
    def row_shares(self) -> Float[Tensor, " row"]:
        """What the loss of each row counts for in the mean; 1 over their number where rows have no weights."""
        weight = weights_of(self.dataset)
        rows = torch.ones(len(self.dataset)) if weight is None else weight.cpu()
        return (rows.double() / rows.double().sum()).to(self.theta)

    @property
    def index(self) -> Tensor:
        return torch.arange(len(self.dataset))

    def batch(self, index: Tensor) -> Batch:
        """These training rows, on the network's device."""
        return collate(self.dataset, index).to(device_of(self.network))

    def parts(self) -> Iterator[tuple[Float[Tensor, ""], Any]]:
        """The objective as parts: what each counts for, and a function of the network."""
        shares = self.row_shares
        labelled = [term for term in self.terms if not term.on_reviewed_rows]
        for index in self.index.split(ROWS_AT_ONCE):
            yield shares[index.to(shares.device)].sum(), self._part(self.batch(index), None, labelled)
        reviewing = [term for term in self.terms if term.on_reviewed_rows]
        if reviewing and self.marks is not None:
            rows = self.marks.reviewed_rows(self.dataset)
            for index in rows.split(ROWS_AT_ONCE):
                batch = collate(self.dataset, index, self.marks).to(device_of(self.network))
                silent = replace(batch, weight=torch.zeros(len(index), device=batch.x.device, dtype=self.theta.dtype))
                yield shares.new_tensor(len(index) / len(rows)), self._part(silent, batch, reviewing)

    def _part(self, batch: Batch, reviewed: Batch | None, terms: Sequence[Term]) -> Any:
        def value(network: nn.Module) -> Tensor:
            how: dict[str, Any] = {"loss": self.loss, "terms": terms, "epoch": self.last_epoch, "seed": 0}
            return objective_of(network, batch, reviewed, **how).total

        return value

    def gradients(self, *, again: bool) -> Iterator[tuple[Tensor, Tensor]]:
        """Parts of the objective's gradient, which sum to it, each with the weights it is taken at.

        Args:
            again: keep what is needed to differentiate them once more.
        """
        for share, value in self.parts():
            theta = self.theta.clone().requires_grad_()
            found = share * at_weights(self.network, self.weights.named(theta), value)
            if found.requires_grad:
                yield torch.autograd.grad(found, theta, create_graph=again)[0], theta

    def gradient(self) -> Float[Tensor, " weight"]:
        """The gradient of the whole objective, which is 0 where the network has finished learning."""
        total = self.weight_decay * self.theta
        for found, _ in self.gradients(again=False):
            total = total + found
        return total

    def products(self, vectors: Float[Tensor, " vector weight"]) -> Float[Tensor, " vector weight"]:
        """The Hessian of the objective times each of the vectors."""
        total = self.weight_decay * vectors
        for gradient, theta in self.gradients(again=True):
            total = total + _derivatives(gradient, theta, vectors)
        return total

    @property
    def without_labels(self) -> "Learned | None":
        """The penalties and the weight decay alone; None where there are no penalties."""
        return replace(self, loss=_nothing) if self.terms else None


def _nothing(forward: Any, batch: Batch) -> Float[Tensor, " batch"]:
    found: Tensor = forward.outputs.new_zeros(len(batch.index))
    return found


def _derivatives(gradient: Tensor, theta: Tensor, vectors: Tensor) -> Tensor:
    """The derivative of the gradient's product with each vector."""
    if not gradient.requires_grad:  # A linear objective.
        return torch.zeros_like(vectors)
    asked: dict[str, Any] = {"retain_graph": True, "allow_unused": True}
    try:
        (found,) = torch.autograd.grad(gradient, theta, vectors, is_grads_batched=True, **asked)
    except RuntimeError:  # A function without a rule for vmap.
        each = [torch.autograd.grad(gradient, theta, vector, **asked)[0] for vector in vectors]
        found = None if each[0] is None else torch.stack(each)
    result: Tensor = torch.zeros_like(vectors) if found is None else found.detach()
    return result


def require_separable(dataset: Dataset) -> None:
    """Raises UnsupportedModelError for a task whose loss compares rows, so that no row has a loss of its own."""
    if "query" in task_of(dataset).extra:
        raise UnsupportedModelError(
            f"the task {task_of(dataset).name!r} compares the rows of a query, so no row has a loss of its own; "
            "influence needs one loss for each row, such as that of classes or amounts"
        )


def require_marks(terms: Sequence[Term], marks: Marks | None) -> None:
    """Raises FeedbackError for a penalty of reviewed rows without feedback."""
    for term in terms:
        if term.on_reviewed_rows and marks is None:
            raise FeedbackError(
                f"penalty {term.name!r} sees reviewed rows, and there is no feedback; give feedback=…, as it was given "
                "to correct"
            )
