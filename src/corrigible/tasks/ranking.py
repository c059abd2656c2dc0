"""Ranking: only the order of the outputs matters."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import softplus

from corrigible.errors import DataError
from corrigible.tasks._labels import amounts_per_row, first_output, numbers_per_row, plain_number, strata_at
from corrigible.types import Task


def ranking(y: Any, *, query: Tensor | None = None) -> Task:
    """The task of ranking rows: those with a larger label should get a larger output.

    The output is one number per row, (batch,) or (batch, 1). A row's loss is the mean over the other rows of the batch
    with another label of minus the log-probability that the pair is ordered rightly, the logistic function of the
    difference of their outputs (Burges et al. 2005, RankNet). If ``extra["query"]`` is given, only rows of the same
    query are compared, and batches hold whole queries; a row without any such row has loss 0 and no quality (NaN).

    Args:
        y: finite numbers, one per row.
        query: of these rows, (row,); the data set's own where it has one.

    Raises:
        DataError: labels that are not finite numbers, or no two rows of a query with different labels.
    """
    labels = amounts_per_row(y, "ranking")
    if query is not None and len(torch.stack([query.double(), labels.double()], dim=1).unique(dim=0)) == len(
        query.unique()
    ):
        raise DataError("no two rows of the same query have different labels; expected some, or leave out query")

    def shift(outputs: Tensor, others: Tensor) -> Tensor:
        return 2 * (outputs[:, 0] - others[:, 0]).sigmoid() - 1

    return Task(
        name="ranking",
        outputs=numbers_per_row(1, "ranking"),
        num_outputs=1,
        logits=None,
        values=lambda outputs: outputs,
        observed=lambda outputs: {"predicted": outputs[:, 0]},
        standard=lambda outputs: outputs,
        combined=lambda passes: passes.mean(dim=0),
        loss=_loss,
        quality=_quality,
        moved=lambda outputs, others: shift(outputs, others).abs(),
        drawn=lambda outputs, others, y, other_y: shift(outputs, others) * (other_y - y).sign(),
        target=first_output,
        check=lambda y: amounts_per_row(y, "ranking"),
        strata=strata_at(labels),
        score="target_output",
        start=((0.0,), (1.0,)),
        metrics=("pair_accuracy", "spearman", "mean_shift", "attribution_overlap"),
        quality_name="share of pairs ordered rightly",
        moved_as="predicted orders by {} points",
        chance=0.5,
        written=plain_number,
        is_likelihood=False,
        extra=("query",),
    )


Pairwise = Callable[[Tensor], Tensor]
"""How far the rightly ordered row of each pair is ahead -> a number for each pair."""
MOST_PAIRS = 2**22
"""Most pairs in memory at once where rows are not of queries."""


def _over_pairs(
    outputs: Tensor, y: Tensor, extra: Mapping[str, Tensor], of: Pairwise, otherwise: float
) -> Float[Tensor, " row"]:
    """The mean over each row's pairs, rows with another label of the same query; ``otherwise`` if there are none."""
    scores, query = outputs[:, 0], extra.get("query")
    if query is None:
        parts = torch.arange(len(y), device=y.device).split(max(1, MOST_PAIRS // max(1, len(y))))
        return torch.cat(
            [_means(scores[rows, None], scores[None], y[rows, None], y[None], of, otherwise) for rows in parts]
        )
    rows, is_real = _by_query(query.to(y.device))
    s, label = scores[rows], y[rows].where(is_real, torch.nan)
    of_rows = _means(s[:, :, None], s[:, None], label[:, :, None], label[:, None], of, otherwise)[is_real]
    return torch.zeros_like(of_rows).index_put((rows[is_real],), of_rows)


def _means(
    scores: Tensor, others: Tensor, y: Tensor, other_y: Tensor, of: Pairwise, otherwise: float
) -> Float[Tensor, " *row"]:
    """The mean over the last axis, the other rows, of those with another label."""
    sign = (y - other_y).sign().nan_to_num()
    pairs = sign != 0
    values, count = of((scores - others) * sign), pairs.sum(dim=-1)
    mean = torch.where(pairs, values, torch.zeros_like(values)).sum(dim=-1) / count.clamp_min(1)
    return torch.where(count > 0, mean, torch.full_like(mean, otherwise))


def _by_query(query: Tensor) -> tuple[Int[Tensor, " query member"], Bool[Tensor, " query member"]]:
    """The positions of the rows of each query, and which of them are real: queries may differ in size."""
    numbers, size = query.unique(return_inverse=True, return_counts=True)[1:]
    order = numbers.argsort(stable=True)
    member = torch.arange(int(size.max()), device=query.device)
    is_real = member < size[:, None]
    place = (size.cumsum(0) - size)[:, None] + member
    return order[place.clamp_max(len(order) - 1)], is_real


def _loss(outputs: Tensor, y: Tensor, extra: Mapping[str, Tensor]) -> Tensor:
    return _over_pairs(outputs, y, extra, lambda ahead: softplus(-ahead), 0.0)


def _quality(outputs: Tensor, y: Tensor, extra: Mapping[str, Tensor]) -> Tensor:
    """The share of pairs in the right order; a tie counts half."""
    return _over_pairs(outputs, y, extra, lambda ahead: ((ahead > 0).double() + (ahead >= 0).double()) / 2, torch.nan)
