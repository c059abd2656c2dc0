"""The truth that influence estimates: the network trained again without a row, by the same seed, in the same order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.errors import RecipeError
from corrigible.figures import number
from corrigible.models.forward import Forward, Loss
from corrigible.models.modes import evaluating
from corrigible.models.networks import copied, network_of
from corrigible.objective import PenaltySettings
from corrigible.printable import plural
from corrigible.progress import counted
from corrigible.protocols.influence.asked import Asked, asked_of
from corrigible.protocols.influence.influenced import Influence, pearson
from corrigible.protocols.schedule import Schedule, run
from corrigible.types import Batch


@dataclass(frozen=True)
class Verified:
    """Influence beside what retraining without each of some rows did."""

    rows: tuple[int, ...]
    estimated: Float[Tensor, " query row"]
    truth: Float[Tensor, " query row"]
    """The loss of the query after retraining without the row, minus that after retraining with all rows."""
    correlation: float | None
    """Pearson's, over all pairs of a query and a row; None for fewer than three, or where one side is constant."""

    def __str__(self) -> str:
        told = "not measured" if self.correlation is None else number(self.correlation)
        size = number(float(self.truth.abs().max()))
        rows = plural(len(self.rows), "row")
        return f"Pearson correlation with retraining without {rows}: {told} (changes up to {size})"

    def __repr__(self) -> str:
        return str(self)


def verify(
    found: Influence,
    data: Any,
    query: Any,
    *,
    start: nn.Module,
    schedule: Schedule,
    rows: int | Sequence[int] = 8,
    penalties: PenaltySettings | None = None,
    feedback: Any = None,
    seed: Any = 0,
) -> Verified:
    """The influence of some rows beside the truth: networks trained from the same start without each of them.

    A row's label loss counts 0 in every step; seed, batches and their order, and what other rows count for, stay. This
    takes one training more than there are rows.

    Args:
        found: what `influence` answered about the same data and queries.
        start: the network before it was trained.
        rows: the positions of the training rows to leave out; or how many, evenly from the most helpful to the most
            harmful by the mean over the queries.
        data, query, schedule, penalties, feedback, seed: as `influence` takes them.

    Raises:
        RecipeError: rows that there are not, or an answer about other data.
    """
    how: dict[str, Any] = {"penalties": penalties, "feedback": feedback, "schedule": schedule, "seed": seed}
    asked = asked_of(start, data, query, **how)
    chosen = _chosen(found, rows, len(asked.learned.dataset))
    with_all = losses_without(asked, network_of(start), ())
    if found.values.shape != (len(with_all), len(asked.learned.dataset)):
        raise RecipeError(
            f"the influence is of {found.values.shape[1]} rows on {found.values.shape[0]} queries; expected "
            f"{len(asked.learned.dataset)} on {len(with_all)}, the same data and queries"
        )
    without = counted("retrained without a row", chosen)
    truth = torch.stack([losses_without(asked, network_of(start), (row,)) - with_all for row in without], dim=1)
    estimated = found.values[:, chosen].to(truth)
    return Verified(tuple(chosen), estimated, truth, pearson(estimated, truth))


def _chosen(found: Influence, rows: Any, num_rows: int) -> list[int]:
    if isinstance(rows, int):
        order = found.values.double().nanmean(dim=0).nan_to_num(0.0).argsort(descending=True)
        count = min(whole_number("rows", rows, 1), len(order))
        return [int(row) for row in order[torch.linspace(0, len(order) - 1, count).round().long()]]
    return [whole_number("a row", row, 0, num_rows - 1) for row in rows]


def losses_without(asked: Asked, start: nn.Module, rows: Sequence[int]) -> Float[Tensor, " query"]:
    """The queries' losses of a network trained from the start while these rows' label losses count 0."""
    learned, network = asked.learned, copied(start)
    counts = torch.ones(len(learned.dataset), dtype=torch.float64)
    counts[list(rows)] = 0
    schedule = replace(asked.schedule, loss=_counting(learned.loss, counts))
    taught: dict[str, Any] = {"penalties": asked.terms, "marks": learned.marks, "step": asked.step, "seed": asked.seed}
    for _ in run(network, learned.dataset, schedule, **taught):
        pass
    with evaluating(network):
        return asked.losses(network).detach().cpu()


def _counting(loss: Loss, counts: Tensor) -> Loss:
    def counting(forward: Forward, batch: Batch) -> Tensor:
        losses = loss(forward, batch)
        return losses * counts[batch.index.cpu()].to(losses)

    return counting
