"""The gradient of each row's own objective, clipped, and the sum over rows.

Each row runs through weights of its own, all copies of the network's, so that one backward pass gives every row's
gradient (``vmap``), with its own dropout, and rows cannot mix. Where a layer has no rule for that, or a penalty looks
at the row, rows run one after the other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, vmap

from corrigible.errors import TrainingDivergedError, UnsupportedModelError
from corrigible.models.draws import PassDraws, drawing_from
from corrigible.models.forward import Forward, Loss
from corrigible.objective import Objective, StepObjective, Term, parameter_gradient
from corrigible.protocols.privacy.sampling import rows_in
from corrigible.types import Batch

MOST_NUMBERS = 2**22
"""Numbers of gradients that are in memory together."""
Gradients = list[Tensor]
"""For each trainable parameter a tensor, (row, *shape)."""


@dataclass
class RowSums:
    """Sums over rows of clipped gradients, and what the rows' objectives were."""

    sums: list[Tensor]
    """For each trainable parameter; not yet divided by a number of rows."""
    label_losses: list[Tensor] = field(default_factory=list)
    penalty_sums: dict[str, Tensor] = field(default_factory=dict)

    def add(self, gradients: Gradients, max_grad_norm: float) -> None:
        """Add rows' gradients, each scaled down to a norm of at most ``max_grad_norm`` over all parameters."""
        shares = clipping_shares(gradients, max_grad_norm)
        for total, gradient in zip(self.sums, gradients, strict=True):
            total += torch.tensordot(shares, gradient, dims=1)


def clipping_shares(gradients: Gradients, max_grad_norm: float) -> Float[Tensor, " row"]:
    """What each row's gradient is multiplied by, at most 1.

    Raises:
        TrainingDivergedError: a gradient that is NaN or infinite.
    """
    norms = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients]).norm(dim=0)
    if not bool(norms.isfinite().all()):
        raise TrainingDivergedError("a row's gradient is no longer a finite number; lower the learning rate")
    shares: Tensor = (max_grad_norm / norms.clamp_min(torch.finfo(norms.dtype).tiny)).clamp_max(1.0)
    return shares


@dataclass
class RowGradients:
    """Each row's gradient; it remembers whether rows can run together."""

    run_together: bool = True

    def clipped_sums(
        self, objective: StepObjective, batch: Batch, terms: Sequence[Term], max_grad_norm: float, *, labelled: bool
    ) -> RowSums:
        """Σ over the batch's rows of the clipped gradient of the row's label loss and its penalties, by parameter.

        Args:
            terms: penalties, each of which sees the row alone.
            labelled: whether the label loss counts.
        """
        model = objective.model
        found = RowSums([torch.zeros_like(p) for p in parameters_of(model).values()])
        count = sum(p.numel() for p in parameters_of(model).values())
        at_once = max(1, MOST_NUMBERS // max(count, 1))
        for first in range(0, len(batch.index), at_once):
            part = rows_in(batch, slice(first, first + at_once))
            for losses, values, gradients in self._of_rows(objective, part, terms, labelled=labelled):
                found.add(gradients, max_grad_norm)
                found.label_losses += [losses] if labelled else []
                for name, value in values.items():
                    found.penalty_sums[name] = found.penalty_sums.get(name, torch.zeros(())) + value.detach().cpu()
        return found

    def _of_rows(
        self, objective: StepObjective, batch: Batch, terms: Sequence[Term], *, labelled: bool
    ) -> Iterator[tuple[Tensor, Any, Gradients]]:
        if labelled and not terms and self.run_together:
            try:
                losses, gradients = together(objective.model, batch, objective.loss, seed=objective.seed)
            except torch.OutOfMemoryError:
                raise
            except (RuntimeError, NotImplementedError, UnsupportedModelError):  # Raised again where rows run alone.
                self.run_together = False
            else:
                yield losses, {}, gradients
                return
        for place in range(len(batch.index)):
            row = rows_in(batch, slice(place, place + 1))
            yield alone(objective, row, terms, labelled=labelled)


def parameters_of(model: nn.Module) -> dict[str, nn.Parameter]:
    """The trainable parameters by name, each once."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def together(model: nn.Module, batch: Batch, loss: Loss, *, seed: int) -> tuple[Float[Tensor, " row"], Gradients]:
    """The label loss of each row and its gradient, all rows in one pass."""
    named, num_rows = parameters_of(model), len(batch.index)
    copies = {name: p.detach().expand(num_rows, *p.shape).requires_grad_() for name, p in named.items()}
    forward = Forward(model, batch, seed=seed, track_input=False)

    def of_row(at: dict[str, Tensor], x: Tensor) -> Any:
        return functional_call(model, at, (x[None],))

    with drawing_from(PassDraws(seed, lambda: batch.index)):
        found = vmap(of_row, randomness="different")(copies, forward.x)
    losses = loss(forward.given(found.flatten(0, 1) if found.ndim > 1 else found), batch)
    weighted = losses if batch.weight is None else losses * batch.weight
    parts = torch.autograd.grad(weighted.sum(), list(copies.values()), allow_unused=True)
    pairs = zip(parts, copies.values(), strict=True)
    return losses.detach(), [torch.zeros_like(copy) if part is None else part for part, copy in pairs]


def alone(
    objective: StepObjective, row: Batch, terms: Sequence[Term], *, labelled: bool
) -> tuple[Float[Tensor, " row"], Any, Gradients]:
    """The same of a batch of one row, with the gradient of its penalties; these are by name, before their weights."""
    kept: list[Tensor] = []

    def weighted(forward: Forward, batch: Batch) -> Tensor:
        if not labelled:
            return forward.outputs.new_zeros(forward.num_rows)
        losses = objective.loss(forward, batch)
        kept.append(losses.detach())
        return losses if row.weight is None else losses * row.weight

    own = replace(objective, batch=replace(row, weight=None), reviewed=None, loss=weighted, terms=terms)
    found: Objective = own()
    parts = parameter_gradient(objective.model, found.total)
    pairs = zip(parts, parameters_of(objective.model).values(), strict=True)
    gradients = [(torch.zeros_like(p) if part is None else part)[None] for part, p in pairs]
    return kept[0] if kept else found.label_losses.detach(), found.penalties, gradients


def gradient_of_weights_alone(
    objective: StepObjective, terms: Sequence[Term]
) -> tuple[list[Tensor], dict[str, Tensor]]:
    """The weighted gradient of penalties that look at no row, by parameter, and their values.

    They are given a batch without rows, so that they cannot look at any.
    """
    named = parameters_of(objective.model)
    nobody = rows_in(objective.batch, slice(0, 0))
    values = {term.name: term.value(Forward(objective.model, nobody, track_input=False), nobody) for term in terms}
    weighted = [term.weight_at(objective.epoch) * values[term.name] for term in terms]
    total = torch.stack(weighted).sum() if weighted else torch.zeros(())
    parts = parameter_gradient(objective.model, total)
    return [
        torch.zeros_like(p) if part is None else part for part, p in zip(parts, named.values(), strict=True)
    ], values
