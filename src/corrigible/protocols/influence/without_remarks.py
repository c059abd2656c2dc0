"""By how much each remark raises what a training step minimises, as a function of the weights.

With a factor for each, a step minimises its objective minus Σ (1 - factor) · (objective - objective without the
remark): the objective itself at factors of 1, and without one remark where its factor is 0 and all others are 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.augment.left_in_place import LeftInPlace, left_in_place
from corrigible.augment.transplant import cues_of, transplant
from corrigible.batches import Batches
from corrigible.data.dataset import task_of
from corrigible.data.protocol import Dataset
from corrigible.errors import RecipeError
from corrigible.feedback.masks import Marks
from corrigible.methods import ConfiguredMethod
from corrigible.models.flat_weights import at_weights
from corrigible.models.forward import Augment, Forward
from corrigible.models.modes import device_of, frozen_norms
from corrigible.protocols.ahead import changed_ahead, split_ahead
from corrigible.protocols.influence.recorded_run import Course, Seen
from corrigible.protocols.training_facts import Known, augments_of
from corrigible.training import step_seed
from corrigible.types import Batch, Feedback

Missing = Callable[[Course, Tensor, Seen, tuple[int, int]], tuple[Tensor, Tensor]]
"""(course, weights, what the step sees, its place) -> by how much the objective is larger with each, and its column."""


def of_remarks(
    course: Course, theta: Tensor, seen: Seen, at: tuple[int, int], *, missing: Sequence[Missing]
) -> tuple[Tensor, Tensor, Tensor]:
    """The objective with a factor for each column of what is missing without a remark."""
    found = [part(course, theta, seen, at) for part in missing]
    more, column = (torch.cat(parts) for parts in zip(*found, strict=True))
    counts = torch.ones_like(more, requires_grad=True)
    plain = course.total(theta, None, seen, epoch=at[0], place=at[1])
    return plain + ((counts - 1) * more).sum(), counts, column


def in_penalties(
    course: Course,
    theta: Tensor,
    seen: Seen,
    at: tuple[int, int],
    *,
    without: Sequence[Marks],
    feedback: Sequence[Feedback],
    dataset: Dataset,
) -> tuple[Tensor, Tensor]:
    """By how much the weighted penalties of reviewed rows are larger with each remark about rows of the batch."""
    batch, reviewed = seen
    reviewed = batch if reviewed is None else reviewed
    present = set(reviewed.index.tolist())
    column = [place for place, said in enumerate(feedback) if said.row is None or said.row in present]
    others = [_marked(reviewed, without[place], dataset) for place in column]

    def missing(network: nn.Module) -> Tensor:
        forward = Forward(network, reviewed, seed=step_seed(course.seed, *at), track_input=True, track_layers=True)
        total = theta.new_zeros(len(column))
        with frozen_norms(network):
            for term in course.terms:
                weight = term.weight_at(at[0]) if term.on_reviewed_rows else 0.0
                if weight:
                    whole = term.value(forward, reviewed)
                    each = [whole - term.value(forward, other) for other in others]
                    total = total + weight * torch.stack(each) if each else total
        return total

    more = at_weights(course.network, course.weights.named(theta), missing)
    return more, torch.tensor(column, device=theta.device, dtype=torch.long)


def _marked(batch: Batch, marks: Marks, dataset: Dataset) -> Batch:
    """The same rows with other marks."""
    strata = batch.y.cpu() if task_of(dataset).logits is not None else batch.index.cpu()
    masks: dict[str, Any] = {
        name: getattr(marks, name).masks(batch.index.cpu(), strata).to(batch.x.device)
        for name in ("irrelevant", "relevant")
    }
    return replace(batch, **masks)


class _Changed(NamedTuple):
    """Rows of a batch that are other rows where something is left in place."""

    column: Int[Tensor, " changed"]
    place: Int[Tensor, " changed"]
    x: Float[Tensor, " changed *input"]


@dataclass(frozen=True)
class Moves:
    """The moves of marked content that remarks ask for, and what rows are without them."""

    left: Sequence[LeftInPlace]
    augment: tuple[Augment, ...]
    """The changes as a correction makes them."""
    without: Sequence[tuple[Augment, ...]]
    """The same with some of the content left in place, by the same draws."""
    _kept: dict[int, list[_Changed]] = field(default_factory=dict)

    def shares(self, num_remarks: int) -> Float[Tensor, " left remark"]:
        """What a remark's factor counts for in each: remarks that ask for the same move share it equally."""
        found = torch.zeros(len(self.left), num_remarks)
        for row, left in zip(found, self.left, strict=True):
            row[list(left.remarks)] = 1 / len(left.remarks)
        return found

    def missing(self, labelled: Batches, first_column: int) -> Missing:
        """By how much the label loss is larger with each move than without; their columns count from the first."""
        return partial(self._missing, labelled=labelled, first_column=first_column)

    def _missing(
        self, course: Course, theta: Tensor, seen: Seen, at: tuple[int, int], *, labelled: Batches, first_column: int
    ) -> tuple[Tensor, Tensor]:
        batch, changed = seen[0], self._changed(course, labelled, at[0])[at[1]]
        column, number = changed.column.unique(return_inverse=True)
        weight = torch.ones_like(batch.index, dtype=theta.dtype) if batch.weight is None else batch.weight.to(theta)
        share = weight / weight.sum().clamp_min(torch.finfo(theta.dtype).tiny)

        def missing(network: nn.Module) -> Tensor:
            rows = replace(batch.taken(changed.place), x=changed.x)
            with_all, without = (
                course.loss(Forward(network, part, seed=step_seed(course.seed, *at), track_input=False), part)
                for part in (batch, rows)
            )
            each = share[changed.place] * (with_all[changed.place] - without)
            return theta.new_zeros(len(column)).index_add(0, number, each)

        if not len(column):
            return theta.new_zeros(0), column
        return at_weights(course.network, course.weights.named(theta), missing), column + first_column

    def _changed(self, course: Course, labelled: Batches, epoch: int) -> list[_Changed]:
        """For each batch of the epoch, the rows that differ where something is left in place."""
        if epoch not in self._kept:
            self._kept.clear()
            seen, device = [batch for batch, _ in course.seen(epoch)], device_of(course.network)
            found: list[list[_Changed]] = [[] for _ in seen]
            for number, augment in enumerate(self.without):
                again = changed_ahead(course.network, labelled, split_ahead(augment)[0], course.seed)
                for rows, batch, other in zip(found, seen, again(epoch), strict=True):
                    x = other.x.to(device)
                    place = (x != batch.x).flatten(1).any(dim=1).nonzero().flatten()
                    rows.append(_Changed(torch.full_like(place, number), place, x[place]))
            self._kept[epoch] = [_Changed(*map(torch.cat, zip(*rows, strict=True))) for rows in found]
        return self._kept[epoch]


def moves_of(changes: Sequence[ConfiguredMethod], feedback: Sequence[Feedback], known: Known) -> Moves:
    """The changes of label batches, and the same without what each remark asks for.

    Raises:
        RecipeError: a change other than transplant that learns from feedback.
    """
    unknown = [c.name for c in changes if c.declaration.serves and c.function is not transplant]
    if unknown:
        raise RecipeError(
            f"which remark changed a row is not known for the augmentation {unknown[0]!r}; expected transplant, or "
            "penalties alone"
        )
    cues = cues_of(known.dataset, known.marks, known.seed)
    left = left_in_place(cues, feedback, known.dataset)
    filled = [
        augments_of([c.given({"cues": of}) if c.function is transplant else c for c in changes], known)
        for of in (cues, *(one.cues for one in left))
    ]
    return Moves(left, filled[0], filled[1:])
